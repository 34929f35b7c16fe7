// Package lab gives tests a real RDMA kernel: it boots a VM with soft RoCE devices (rdma_rxe) on one of three kernels, 6.1, 6.12 and
// 7.x, and runs ordinary Go tests, or any command, inside. It needs no RDMA hardware, no KVM and no root.
//
// # Tests
//
// A package whose tests are to run in the lab has this TestMain, and nothing else that is special:
//
//	func TestMain(m *testing.M) { os.Exit(lab.Main(m, lab.Suite{})) }
//
// "go test" builds the test binary outside, on the host; Main boots each kernel and runs the same binary inside. A test asks for
// what it wants to find in the kernel with a [Topology], and has it until its end. Tests of the whole project live in
// internal/lab/e2e, so that they share three boots instead of having three each.
//
// Programs that tests call are named in [Suite]; they are built outside too and found in the guest's PATH. A fork and exec costs
// about 50 ms in the guest, everything else some ten times what it costs outside: compare times only within one boot, and
// leave generous room in deadlines.
//
// # How a VM is made
//
// Package depot fetches kernels into a cache; package vm boots them: an initramfs with a first process of our own (command guest)
// and the few modules that it takes to mount the host's / over 9p, read-only under a tmpfs. Programs, libraries and kernel modules
// come from there. Package wire is what guest and host say to each other. A boot takes 4 to 6 seconds under TCG.
//
// A guest that hangs is stopped and says where; a guest whose kernel panics or oopses ends. See package vm. Tests that were to run in
// it have another guest, and the end of the output says so: a kernel's defect is told, and hides nothing else. A guest that ends before
// any test has begun is booted again, twice at most.
//
// # Environment
//
//	IBCTL_LAB=off           lab tests are skipped, and say so. Without it they fail where there is no QEMU or no kernel.
//	IBCTL_LAB_KERNEL=LIST   only these kernel series, comma-separated: 6.1, 6.12, 7.x
//	IBCTL_LAB_VMS=N         run the tests on N kernels at once; on as many as leave a processor for the rest
//	IBCTL_LAB_KERNELS=DIR   unpacked kernels from elsewhere; package depot has the layout
//	IBCTL_LAB_ACCEL=kvm     QEMU's accelerator. Hardware acceleration is not the default: /dev/kvm may be there and yet hang a guest
//	                        right after the BIOS, as on some nested virtual machines.
//	XDG_CACHE_HOME          where the cache is (ibctl/lab in it); ~/.cache
//
// Inside a VM, IBCTL_LAB_GUEST is the kernel series; IBCTL_LAB_KERNEL, IBCTL_SEED and IBCTL_SOAK, which tests look at, are
// as outside.
//
// # Why not a library
//
// Looked at in November 2026, none did the job. vimto (github.com/ti-mo/vimto) runs Go tests in VMs and is well kept, but it is a
// command, not a package, insists on KVM, and boots without an initramfs: distribution kernels, which have virtio and 9p as modules,
// are not for it. hugelgupf/vmtest with u-root builds a whole user land and was last released in 2024.
// anatol/vmtest starts QEMU and greps its console, which leaves topology, exit status and hung guests to its user. What is used
// instead is kept by others, too: QEMU, the distribution's kernels, apt, cpio, kmod and vishvananda/netlink.
package lab
