package vm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/ibctl/ibctl/internal/lab/depot"
)

// earlyModules is what the guest needs before it sees the host's files and can load modules from there.
var earlyModules = []string{"virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay"}

// Initramfs returns the file name of an initramfs for the kernel with guest, an executable file, as its first process. It is made
// once for the two and kept in dir.
func Initramfs(ctx context.Context, dir string, k depot.Kernel, guest string) (string, error) {
	modules, err := k.ModuleFiles(earlyModules...)
	if err != nil {
		return "", err
	}
	key, err := digest(append([]string{guest}, modules...))
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, k.Release+"-"+key+".cpio")
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	if err := makeInitramfs(ctx, name, guest, modules); err != nil {
		return "", fmt.Errorf("lab: initramfs for %s: %w", k.Release, err)
	}
	return name, removeOthers(name, filepath.Join(dir, k.Release+"-*.cpio"))
}

// digest tells one set of files from another: their names, sizes and times for modules, which only change with their package,
// and the content of the first, which changes with every edit.
func digest(files []string) (string, error) {
	h := sha256.New()
	content, err := os.ReadFile(files[0])
	if err != nil {
		return "", err
	}
	h.Write(content)
	for _, file := range files[1:] {
		info, err := os.Stat(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, file, info.Size(), info.ModTime().UnixNano())
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// makeInitramfs writes the archive, uncompressed: QEMU hands it over at once, and a guest under TCG is slow at unpacking.
func makeInitramfs(ctx context.Context, name, guest string, modules []string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	tree, err := os.MkdirTemp(filepath.Dir(name), ".tree-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	files, err := layTree(ctx, tree, guest, modules)
	if err != nil {
		return err
	}
	tmp := tree + ".cpio"
	defer os.Remove(tmp)
	cmd := exec.CommandContext(ctx, "cpio", "--quiet", "--create", "--format=newc", "--owner=0:0", "--file="+tmp)
	cmd.Dir = tree
	cmd.Stdin = strings.NewReader(strings.Join(files, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cpio: %w: %s", err, out)
	}
	return os.Rename(tmp, name)
}

// layTree puts the files in place and returns their names, directories first.
func layTree(ctx context.Context, tree, guest string, modules []string) ([]string, error) {
	names := []string{"init", "modules", "root", "host", "rw"}
	for _, dir := range names[1:] {
		if err := os.Mkdir(filepath.Join(tree, dir), 0o755); err != nil {
			return nil, err
		}
	}
	if err := copyFile(filepath.Join(tree, "init"), guest); err != nil {
		return nil, err
	}
	for i, file := range modules {
		content, err := decompress(ctx, file)
		if err != nil {
			return nil, err
		}
		base, _, _ := strings.Cut(filepath.Base(file), ".ko")
		name := fmt.Sprintf("modules/%02d-%s.ko", i, base)
		if err := os.WriteFile(filepath.Join(tree, name), content, 0o644); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// decompress returns the content of a module's file, which may be compressed as the distribution likes.
func decompress(ctx context.Context, file string) ([]byte, error) {
	tools := map[string]string{".xz": "xz", ".zst": "zstd", ".gz": "gzip"}
	tool, compressed := tools[filepath.Ext(file)]
	if !compressed {
		return os.ReadFile(file)
	}
	cmd := exec.CommandContext(ctx, tool, "-dc", file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s -dc %s: %w: %s", tool, file, err, stderr.Bytes())
	}
	return out, nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// removeOthers removes what matches the pattern except keep: the archives of earlier builds.
func removeOthers(keep, pattern string) error {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, file := range files {
		if file != keep {
			os.Remove(file) // a VM that boots from it this moment has it open
		}
	}
	return nil
}
