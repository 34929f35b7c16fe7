package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/ibctl/ibctl/internal/counters"
	"github.com/ibctl/ibctl/internal/output"
)

var statColumns = []output.Column[statItem]{
	{Header: "DEVICE", Cell: func(i statItem) string { return i.Device }},
	{Header: "PORT", Cell: func(i statItem) string { return text(i.Port) }, Right: true},
	{Header: "COUNTER", Cell: func(i statItem) string { return i.Name }},
	{Header: "VALUE", Cell: func(i statItem) string { return strconv.FormatUint(i.Value, 10) }, Right: true},
	{Header: "UNIT", Cell: func(i statItem) string { return string(i.Unit) }},
	{Header: "SOURCE", Cell: func(i statItem) string { return string(i.Source) }, Wide: true},
	{Header: "ERROR", Cell: func(i statItem) string { return yesOrNo(i.Error) }, Wide: true},
}

func yesOrNo(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

// statRateColumns are those of --watch.
var statRateColumns = append([]output.Column[statItem]{
	{Header: "TIME", Cell: func(i statItem) string { return i.at.Format(time.TimeOnly) }},
}, append(statColumns[:len(statColumns):len(statColumns)],
	output.Column[statItem]{Header: "PER_SECOND", Cell: func(i statItem) string { return rateText(i.Rate) }, Right: true},
)...)

var qpSetColumns = []output.Column[counters.QPSet]{
	{Header: "DEVICE", Cell: func(s counters.QPSet) string { return s.Device }},
	{Header: "PORT", Cell: func(s counters.QPSet) string { return text(s.Port) }, Right: true},
	{Header: "SET", Cell: func(s counters.QPSet) string { return number(s.ID) }, Right: true},
	{Header: "MODE", Cell: func(s counters.QPSet) string { return s.Mode }},
	{Header: "TYPE", Cell: func(s counters.QPSet) string { return s.Type }},
	{Header: "PID", Cell: func(s counters.QPSet) string { return text(s.PID) }, Right: true},
	{Header: "QPS", Cell: func(s counters.QPSet) string { return numberList(s.QPs) }},
	{Header: "COUNTERS", Cell: nonzeroCounters},
}

func numberList(numbers []uint32) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = number(n)
	}
	return strings.Join(texts, ",")
}

// nonzeroCounters leaves the others to the documents.
func nonzeroCounters(s counters.QPSet) string {
	var texts []string
	for _, c := range s.Counters {
		if c.Value > 0 {
			texts = append(texts, c.Name+"="+strconv.FormatUint(c.Value, 10))
		}
	}
	return strings.Join(texts, " ")
}

var statModeColumns = []output.Column[counters.Mode]{
	{Header: "DEVICE", Cell: func(m counters.Mode) string { return m.Device }},
	{Header: "PORT", Cell: func(m counters.Mode) string { return number(m.Port) }, Right: true},
	{Header: "QP_MODE", Cell: func(m counters.Mode) string { return m.QP }},
	{Header: "QP_BY", Cell: func(m counters.Mode) string { return strings.Join(m.By, ",") }},
	{Header: "OPTIONAL_ON", Cell: func(m counters.Mode) string { return optionalNames(m, true) }},
	{Header: "OPTIONAL_OFF", Cell: func(m counters.Mode) string { return optionalNames(m, false) }},
}

func optionalNames(m counters.Mode, on bool) string {
	var names []string
	for _, o := range m.Optional {
		if o.On == on {
			names = append(names, o.Name)
		}
	}
	return strings.Join(names, ",")
}
