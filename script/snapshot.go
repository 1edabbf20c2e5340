package script

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds on a script's folder: more is a wrong folder, not a bigger script.
const (
	maxFiles  = 2000
	maxDepth  = 8
	maxSource = 64 << 20 // bytes of Lua
)

// Source says where scripts are: a main file on disk, or one in a file system
// that ships with the program.
type Source struct {
	// Path of the main file. Its folder is the scripts' folder.
	Path string
	// FS holds the folder when there is none on disk; Path is then its main file.
	FS fs.FS
}

// Snapshot is a scripts' folder read once: nothing of it is looked at again
// while its generation lives, but for tables (*.csv).
type Snapshot struct {
	Main  string            // main file, relative to the folder
	Files map[string][]byte // *.lua by slash-separated path; profiles from elsewhere by absolute path
	Hash  string            // of Files, 8 hex digits
	// stamp is Hash and the state of the tables: equal stamps, equal folders.
	stamp  string
	folder fs.FS
	// deployed tells that it is not of the configured folder.
	deployed bool
	folders  []string // on disk: what to watch
	links    []string // files on disk that are links
}

// Tests are the names of the *_test.lua files, in order.
func (s *Snapshot) Tests() []string {
	var names []string
	for name := range s.Files {
		if isTest(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// modules are the names of all files but the tests, in order.
func (s *Snapshot) modules() []string {
	var names []string
	for name := range s.Files {
		if !isTest(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.lua") }

// open reads a file of the folder for b2b.table. fs.FS refuses names that
// lead out of it; links inside may point elsewhere, as a ConfigMap's do.
func (s *Snapshot) open(name string) ([]byte, error) {
	name = path.Clean(name)
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("%q is not a file of the script's folder", name)
	}
	b, err := fs.ReadFile(s.folder, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not in the script's folder", name)
	}
	return b, err
}

// Deployed is the folder of a snapshot that is not of the configured one; else
// nil.
func (s *Snapshot) Deployed() fs.FS {
	if !s.deployed {
		return nil
	}
	return s.folder
}

// read takes a snapshot of the folder and of the profiles outside of it.
func (s Source) read(profiles []string) (*Snapshot, error) { return s.readFor(s, profiles) }

// readFor takes a snapshot that is to stand in for the configured source.
func (s Source) readFor(configured Source, profiles []string) (*Snapshot, error) {
	snap := &Snapshot{Main: path.Base(filepath.ToSlash(s.Path)), Files: map[string][]byte{}, folder: s.FS}
	if snap.folder == nil {
		root := filepath.Dir(s.Path)
		snap.folder = os.DirFS(root)
		snap.folders = []string{root}
	}
	r := reader{snap: snap, onDisk: s.FS == nil}
	if err := r.folder(".", 0); err != nil {
		return nil, err
	}
	if _, ok := snap.Files[snap.Main]; !ok {
		return nil, fmt.Errorf("%s: no such script", s.Path)
	}
	for _, name := range profiles {
		if err := r.outside(configured, name); err != nil {
			return nil, err
		}
	}
	r.seal()
	return snap, nil
}

// reader fills a snapshot.
type reader struct {
	snap   *Snapshot
	onDisk bool
	size   int
	tables []string // name, size and time of each *.csv
}

// folder reads one folder. What begins with a dot is not ours: editors, git
// and ConfigMaps keep their state there.
func (r *reader) folder(dir string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%s: folders nest deeper than %d", dir, maxDepth)
	}
	entries, err := fs.ReadDir(r.snap.folder, dir)
	if err != nil {
		return fmt.Errorf("script folder: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		name := path.Join(dir, e.Name())
		if r.onDisk && e.Type()&fs.ModeSymlink != 0 {
			r.snap.links = append(r.snap.links, filepath.Join(r.snap.folders[0], filepath.FromSlash(name)))
		}
		if err := r.entry(name, depth); err != nil {
			return err
		}
	}
	return nil
}

// entry follows links. A file that goes away meanwhile is one that is not
// there.
func (r *reader) entry(name string, depth int) error {
	st, err := fs.Stat(r.snap.folder, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("script folder: %w", err)
	case st.IsDir():
		if r.visited(name) {
			return nil
		}
		return r.folder(name, depth+1)
	case !st.Mode().IsRegular():
		return nil
	case strings.HasSuffix(name, ".lua"):
		return r.file(name, name)
	case strings.HasSuffix(name, ".csv"):
		r.tables = append(r.tables, fmt.Sprintf("%s %d %d", name, st.Size(), st.ModTime().UnixNano()))
	}
	return nil
}

// visited notes a folder to watch; a link that leads back to one is passed over.
func (r *reader) visited(name string) bool {
	if !r.onDisk {
		return false
	}
	dir := filepath.Join(r.snap.folders[0], filepath.FromSlash(name))
	if slices.ContainsFunc(r.snap.folders, func(known string) bool { return sameFolder(known, dir) }) {
		return true
	}
	r.snap.folders = append(r.snap.folders, dir)
	return false
}

func sameFolder(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}

func (r *reader) file(name, key string) error {
	b, err := fs.ReadFile(r.snap.folder, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("script folder: %w", err)
	}
	return r.keep(key, b)
}

func (r *reader) keep(key string, b []byte) error {
	r.size += len(b)
	if len(r.snap.Files) >= maxFiles || r.size > maxSource {
		return fmt.Errorf("script folder: more than %d Lua files or %d MiB", maxFiles, maxSource>>20)
	}
	r.snap.Files[key] = b
	return nil
}

// outside reads a profile that is not in the folder already.
func (r *reader) outside(s Source, name string) error {
	if _, ok := r.snap.Files[s.key(name)]; ok {
		return nil
	}
	if key := s.key(name); !r.onDisk && key != name {
		return fmt.Errorf("%s, a profile of a trunk, is missing", key)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	r.snap.folders = append(r.snap.folders, filepath.Dir(name))
	return r.keep(name, b)
}

// key is a profile's name in Files.
func (s Source) key(name string) string {
	if s.FS != nil {
		return name
	}
	if rel, err := filepath.Rel(filepath.Dir(s.Path), name); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return name
}

// seal computes the hashes.
func (r *reader) seal() {
	names := make([]string, 0, len(r.snap.Files))
	for name := range r.snap.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	h := sha256.New()
	for _, name := range names {
		fmt.Fprintf(h, "%d %s %d ", len(name), name, len(r.snap.Files[name]))
		h.Write(r.snap.Files[name])
	}
	r.snap.Hash = hex.EncodeToString(h.Sum(nil))[:8]
	for _, t := range r.tables {
		fmt.Fprintln(h, t)
	}
	r.snap.stamp = hex.EncodeToString(h.Sum(nil))
}
