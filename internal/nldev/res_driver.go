package nldev

import (
	"fmt"

	"github.com/ibctl/ibctl/core/rdma"
)

// DriverAttr is one fact that a driver adds to a resource
// (RDMA_NLDEV_ATTR_DRIVER). One of the values is known.
type DriverAttr struct {
	// Name is the driver's: "sqn", "rq_depth".
	Name string
	// Signed, Unsigned and Text hold the value in full: the kernel has s32, u32,
	// s64, u64 and strings.
	Signed   rdma.Opt[int64]
	Unsigned rdma.Opt[uint64]
	Text     rdma.Opt[string]
	// Hex tells that the driver wants the number shown in hexadecimal.
	Hex bool
}

// Driver is the list of a resource's driver attributes, in the kernel's order.
type Driver []DriverAttr

func (d *Driver) set(a attr) error {
	var t driverTable
	if err := eachAttr(a.data, t.take); err != nil {
		return err
	}
	if t.named {
		return fmt.Errorf("%w: driver attribute %q without value", ErrMalformed, t.next.Name)
	}
	*d = append(*d, t.done...)
	return nil
}

// driverTable is a table of driver attributes that is being read. They come flat:
// a name, perhaps how to print it, the value. A name and a text are of one type.
type driverTable struct {
	done  []DriverAttr
	next  DriverAttr
	named bool
}

func (t *driverTable) take(a attr) (err error) {
	if !t.named {
		if a.typ != attrDriverString {
			return nil // a newer kernel may say more
		}
		t.named, t.next = true, DriverAttr{}
		return intoText(&t.next.Name, a)
	}
	switch a.typ {
	case attrDriverPrintType:
		how, err := a.u8()
		t.next.Hex = how == driverPrintHex
		return err
	case attrDriverString:
		err = into(&t.next.Text, a, attr.text)
	case attrDriverS32:
		err = into(&t.next.Signed, a, attr.s32)
	case attrDriverU32:
		err = into(&t.next.Unsigned, a, attr.u32as64)
	case attrDriverS64:
		err = into(&t.next.Signed, a, attr.s64)
	case attrDriverU64:
		err = into(&t.next.Unsigned, a, attr.u64)
	default:
		return fmt.Errorf("%w: attribute %d as the value of driver attribute %q", ErrMalformed, a.typ, t.next.Name)
	}
	t.done, t.named = append(t.done, t.next), false
	return err
}

func (a attr) s32() (int64, error)      { v, err := a.u32(); return int64(int32(v)), err }
func (a attr) s64() (int64, error)      { v, err := a.u64(); return int64(v), err }
func (a attr) u32as64() (uint64, error) { v, err := a.u32(); return uint64(v), err }
