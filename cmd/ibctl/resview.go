package main

import (
	"strings"
	"time"

	"github.com/ibctl/ibctl/internal/output"
	"github.com/ibctl/ibctl/internal/resources"
)

// attrColumn shows one attribute.
func attrColumn(header, key string) output.Column[resources.Attrs] {
	return output.Column[resources.Attrs]{Header: header, Cell: func(l resources.Attrs) string { return l.Text(key) }}
}

func right(c output.Column[resources.Attrs]) output.Column[resources.Attrs] { c.Right = true; return c }

func wideOnly(c output.Column[resources.Attrs]) output.Column[resources.Attrs] {
	c.Wide = true
	return c
}

// shortKeys are what a table has of each kind; -o wide has all.
var shortKeys = map[resources.Kind][]string{
	resources.QP:   {"port", "lqpn", "type", "state", "rqpn", "pdn"},
	resources.CQ:   {"cqn", "cqe", "users", "poll_ctx", "ctxn"},
	resources.MR:   {"mrn", "mrlen", "rkey", "lkey", "pdn"},
	resources.PD:   {"pdn", "users", "ctxn"},
	resources.Ctx:  {"ctxn"},
	resources.SRQ:  {"srqn", "type", "pdn", "cqn", "lqpn"},
	resources.CMID: {"port", "cm_idn", "state", "ps", "lqpn", "src_addr", "dst_addr"},
}

func objectColumns(k resources.Kind) []output.Column[resources.Attrs] {
	columns := []output.Column[resources.Attrs]{attrColumn("DEVICE", "device")}
	for _, key := range shortKeys[k] {
		columns = append(columns, keyColumn(key))
	}
	columns = append(columns, right(attrColumn("PID", "pid")), attrColumn("PROCESS", "comm"),
		attrColumn("USER", "user"), output.Column[resources.Attrs]{Header: "OWNER", Cell: ownerOf})
	shown := map[string]bool{"device": true, "pid": true, "comm": true, "user": true, "unit": true, "pod": true, "container": true, "slurm_job": true}
	for _, key := range shortKeys[k] {
		shown[key] = true
	}
	for _, key := range resources.Keys(k) {
		if !shown[key] {
			columns = append(columns, wideOnly(keyColumn(key)))
		}
	}
	return append(columns, output.Column[resources.Attrs]{Header: "DRIVER", Cell: driverText, Wide: true})
}

func keyColumn(key string) output.Column[resources.Attrs] {
	c := attrColumn(strings.ToUpper(key), key)
	c.Right = !resources.IsText(key)
	return c
}

// ownerOf is the innermost thing that somebody can stop.
func ownerOf(l resources.Attrs) string {
	for _, key := range []string{"pod", "slurm_job", "container"} {
		value := l.Text(key)
		switch {
		case value == "":
		case key == "container":
			return "container " + value[:min(12, len(value))]
		default:
			return strings.ReplaceAll(key, "_", " ") + " " + value
		}
	}
	return l.Text("unit")
}

// driverText shows what the driver adds: "sqn=5 state=IDLE".
func driverText(l resources.Attrs) string {
	var parts []string
	for _, a := range l {
		if name, ok := strings.CutPrefix(a.Key, "drv_"); ok {
			parts = append(parts, name+"="+a.Text())
		}
	}
	return strings.Join(parts, " ")
}

// listKinds are the kinds of documents with objects.
var listKinds = map[resources.Kind]string{
	resources.QP: "QPList", resources.CQ: "CQList", resources.MR: "MRList", resources.PD: "PDList", resources.Ctx: "ContextList",
	resources.SRQ: "SRQList", resources.CMID: "ResourceCMIDList",
}

func objectView(k resources.Kind, driver bool) view[resources.Attrs] {
	key := func(l resources.Attrs) string { return resources.Object{Kind: k, Attrs: l}.Name() }
	return view[resources.Attrs]{
		kind: listKinds[k], columns: objectColumns(k), name: key, key: key, same: sameObject, mark: markAttrs, marks: attrMarks,
		rdma: rdmaResources(k, driver),
	}
}

var countView = view[resources.Attrs]{
	kind: "ResourceCountList", columns: countColumns(), name: deviceOf, key: deviceOf, same: sameObject, mark: markAttrs, marks: attrMarks,
	rdma: rdmaCounts,
}

func deviceOf(l resources.Attrs) string { return l.Text("device") }

// countColumns shows counts, and of how many at most: 17/1048560.
func countColumns() []output.Column[resources.Attrs] {
	columns := []output.Column[resources.Attrs]{attrColumn("DEVICE", "device")}
	for _, k := range resources.Kinds() {
		columns = append(columns, right(output.Column[resources.Attrs]{Header: strings.ToUpper(string(k)), Cell: func(l resources.Attrs) string {
			text := l.Text(string(k))
			if limit := l.Text(string(k) + "_max"); limit != "" {
				text += "/" + limit
			}
			return text
		}}))
	}
	return append(columns, output.Column[resources.Attrs]{Header: "OTHER", Cell: otherCounts, Wide: true})
}

// otherCounts are of kinds that ibctl does not know.
func otherCounts(l resources.Attrs) string {
	known := map[string]bool{"device": true, "device_index": true}
	for _, k := range resources.Kinds() {
		known[string(k)], known[string(k)+"_max"] = true, true
	}
	var parts []string
	for _, a := range l {
		if !known[a.Key] {
			parts = append(parts, a.Key+"="+a.Text())
		}
	}
	return strings.Join(parts, " ")
}

func sumView(by string) view[resources.Attrs] {
	name := func(l resources.Attrs) string {
		if text := l.Text(by); text != "" {
			return text
		}
		if text := l.Text("comm"); text != "" {
			return text
		}
		return "-"
	}
	return view[resources.Attrs]{
		kind: "ResourceSumList", columns: sumColumns(by), name: name, key: name, same: sameObject, mark: markAttrs, marks: attrMarks,
	}
}

func sumColumns(by string) []output.Column[resources.Attrs] {
	columns := []output.Column[resources.Attrs]{keyColumn(by)}
	if by == "tid" {
		columns = append(columns, keyColumn("pid"))
	}
	if by != "comm" {
		columns = append(columns, attrColumn("PROCESS", "comm"))
	}
	if by == "pid" || by == "tid" {
		columns = append(columns, attrColumn("USER", "user"), output.Column[resources.Attrs]{Header: "OWNER", Cell: ownerOf})
	}
	if by != "device" {
		columns = append(columns, attrColumn("DEVICES", "devices"))
	}
	for _, k := range resources.Kinds() {
		columns = append(columns, keyColumn(string(k)))
	}
	return append(columns, right(attrColumn("MR_OCTETS", "mr_octets")))
}

// sameObject compares all but the packet numbers, which count on and on.
func sameObject(a, b resources.Attrs) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Key != b[i].Key || a[i].Text() != b[i].Text() && !strings.HasSuffix(a[i].Key, "_psn") {
			return false
		}
	}
	return true
}

// markAttrs puts time and change before what is known of an object.
func markAttrs(l resources.Attrs, at time.Time, change string) resources.Attrs {
	return append(resources.Attrs{
		{Key: "time", Value: at.Format(time.RFC3339Nano)}, {Key: "change", Value: change},
	}, l...)
}

var attrMarks = []output.Column[resources.Attrs]{
	{Header: "TIME", Cell: func(l resources.Attrs) string {
		at, err := time.Parse(time.RFC3339Nano, l.Text("time"))
		if err != nil {
			return ""
		}
		return at.Format(time.TimeOnly)
	}},
	attrColumn("CHANGE", "change"),
}
