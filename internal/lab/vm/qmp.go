package vm

import (
	"encoding/json"
	"fmt"
	"io"
)

// injectNMI sends a non-maskable interrupt to the guest's CPUs. The protocol is QMP: JSON values, of which the answers are of no
// interest here.
func injectNMI(qmp io.Writer) error {
	enc := json.NewEncoder(qmp)
	for _, command := range []string{"qmp_capabilities", "inject-nmi"} {
		if err := enc.Encode(map[string]string{"execute": command}); err != nil {
			return fmt.Errorf("lab: QMP %s: %w", command, err)
		}
	}
	return nil
}
