package plugintest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// envWatchdog makes the test binary a process that a plugin starts. Its value is
// a mode, and the pids of the plugin and of its host. Each mode outlives the
// plugin in one case alone, and is gone with it in the others.
const envWatchdog = "IBCTL_PLUGINTEST_WATCHDOG"

const (
	afterStop = "nothing-left" // it begins when the plugin was stopped
	afterKill = "killed"       // it leaves the plugin's group at once, and ends if the plugin hangs or the host is dead
	afterHang = "stopped"      // it leaves the group when the plugin hangs
	afterHost = "host-killed"  // it stays in the group, which is killed unless the host is dead
)

// watchdog is such a process, as the plugin sees it.
type watchdog struct{ cmd *exec.Cmd }

func startWatchdog(mode string) (watchdog, error) {
	w := watchdog{cmd: exec.Command("/proc/self/exe")}
	w.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", envWatchdog, mode, os.Getpid(), os.Getppid()))
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: mode == afterStop || mode == afterKill}
	return w, w.cmd.Start()
}

// end is for a plugin that ends in order.
func (w watchdog) end() {
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
}

func beWatchdog(config string) {
	f := strings.Fields(config)
	mode, plugin, host := f[0], f[1], f[2]
	for ; ; time.Sleep(5 * time.Millisecond) {
		hangs := stateOf(plugin) == "T"
		hostDead := stateOf(host) == "" || stateOf(host) == "Z"
		switch {
		case mode == afterKill && (hangs || hostDead):
			return
		case mode == afterHang && hangs:
			_, _ = syscall.Setsid()
			time.Sleep(time.Hour)
		case mode == afterHang && hostDead:
			return
		}
	}
}

// stateOf is a process's state in /proc; empty where there is none.
func stateOf(pid string) string {
	text, _ := os.ReadFile("/proc/" + pid + "/stat")
	rest := string(text[strings.LastIndexByte(string(text), ')')+1:])
	if f := strings.Fields(rest); len(f) > 0 {
		return f[0]
	}
	return ""
}
