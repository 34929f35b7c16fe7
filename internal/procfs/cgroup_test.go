package procfs

import "testing"

func TestCgroup(t *testing.T) {
	const id = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"
	const pod = "3c0e5f0e-1111-2222-3333-444455556666"
	for _, tt := range []struct {
		name, text string
		want       Cgroup
	}{
		{"nothing", "", Cgroup{}},
		{"root", "0::/\n", Cgroup{Path: "/"}},
		{"service", "0::/system.slice/ibacm.service\n", Cgroup{Path: "/system.slice/ibacm.service", Unit: "ibacm.service"}},
		{"a user's application", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/mpi.service\n",
			Cgroup{Path: "/user.slice/user-1000.slice/user@1000.service/app.slice/mpi.service", Unit: "mpi.service"}},
		{"a user's shell", "0::/user.slice/user-1000.slice/session-3.scope\n",
			Cgroup{Path: "/user.slice/user-1000.slice/session-3.scope", Unit: "session-3.scope"}},
		{"version 1", "12:devices:/system.slice/opensm.service\n1:name=systemd:/system.slice/opensm.service\n",
			Cgroup{Path: "/system.slice/opensm.service", Unit: "opensm.service"}},
		{"hybrid", "4:memory:/x\n1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n",
			Cgroup{Path: "/system.slice/a.service", Unit: "a.service"}},
		{"pod, systemd driver", "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod3c0e5f0e_1111_2222_3333_444455556666.slice/cri-containerd-" + id + ".scope\n",
			Cgroup{Path: "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod3c0e5f0e_1111_2222_3333_444455556666.slice/cri-containerd-" + id + ".scope", Pod: pod, Container: id}},
		{"pod, cgroupfs driver", "0::/kubepods/besteffort/pod" + pod + "/" + id + "\n",
			Cgroup{Path: "/kubepods/besteffort/pod" + pod + "/" + id, Pod: pod, Container: id}},
		{"pod, version 1", "11:memory:/kubepods/pod" + pod + "/" + id + "\n1:name=systemd:/kubepods/pod" + pod + "/" + id + "\n",
			Cgroup{Path: "/kubepods/pod" + pod + "/" + id, Pod: pod, Container: id}},
		{"static pod", "0::/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" + id + "\n",
			Cgroup{Path: "/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" + id, Pod: "0123456789abcdef0123456789abcdef", Container: id}},
		{"docker", "0::/system.slice/docker-" + id + ".scope\n", Cgroup{Path: "/system.slice/docker-" + id + ".scope", Container: id}},
		{"podman", "0::/machine.slice/libpod-" + id + ".scope/container\n", Cgroup{Path: "/machine.slice/libpod-" + id + ".scope/container", Container: id}},
		{"slurm", "0::/system.slice/slurmstepd.scope/job_4711/step_0/user/task_0\n",
			Cgroup{Path: "/system.slice/slurmstepd.scope/job_4711/step_0/user/task_0", Unit: "slurmstepd.scope", SlurmJob: "4711"}},
		{"slurm, version 1", "5:freezer:/slurm/uid_1000/job_4711/step_0\n1:name=systemd:/system.slice/slurmd.service\n",
			Cgroup{Path: "/system.slice/slurmd.service", Unit: "slurmd.service", SlurmJob: "4711"}},
		{"no systemd", "3:memory:/a\n2:cpu:/a/b\n", Cgroup{Path: "/a/b"}},
		{"escaped", "0::/system.slice/_cpu.service\n", Cgroup{Path: "/system.slice/_cpu.service", Unit: "cpu.service"}},
		{"colons in the path", "0::/a:b:c.service\n", Cgroup{Path: "/a:b:c.service", Unit: "a:b:c.service"}},
		{"no sense", "nonsense\n0:\n", Cgroup{}},
	} {
		if got := ParseCgroup(tt.text); got != tt.want {
			t.Errorf("%s: %+v\nwant %+v", tt.name, got, tt.want)
		}
	}
}
