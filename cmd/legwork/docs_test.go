package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"legwork/b2bua/simnet"
	"legwork/cmd/legwork/config"
)

// TestEveryYAMLBlockOfThePagesLoads also loads the deployments themselves. What
// is checked of the Lua blocks stands in examples/docs_test.go.
func TestEveryYAMLBlockOfThePagesLoads(t *testing.T) {
	root := filepath.Join("..", "..")
	pages, err := filepath.Glob(filepath.Join(root, "examples", "*", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, filepath.Join(root, "README.md"), filepath.Join(root, "scripts", "README.md"))
	found := 0
	for _, page := range pages {
		src, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllSubmatchIndex(src, -1) {
			found++
			line := strings.Count(string(src[:at[2]]), "\n") + 1
			if err := loadBlock(t, src[at[2]:at[3]]); err != nil {
				t.Errorf("%s:%d: %v", page, line, err)
			}
		}
	}
	if found < 3 {
		t.Errorf("%d blocks of YAML in %d pages: the pages have changed, or this test finds none", found, len(pages))
	}
}

// loadBlock loads a configuration from a folder with the script that it names.
func loadBlock(t *testing.T, yaml []byte) error {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "legwork.yaml")
	for name, text := range map[string]string{file: string(yaml), filepath.Join(dir, "main.lua"): "return {}\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	_, err := config.Load(file, os.LookupEnv)
	return err
}

func TestEveryDeploymentIsGood(t *testing.T) {
	for _, file := range deployments(t) {
		if _, err := config.Load(file, os.LookupEnv); err != nil {
			t.Error(fmt.Errorf("%s: %w", file, err))
		}
	}
}

// deployments are the configurations of the examples, in a copy with the
// certificates that their pages tell how to make.
func deployments(t *testing.T) (files []string) {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(filepath.Join("..", "..", "examples"))); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "*", "legwork.yaml"))
	if err != nil || len(files) < 3 {
		t.Fatalf("deployments: %v, %v", files, err)
	}
	ca, err := simnet.NewAuthority("Test CA")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue(simnet.Leaf{Names: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string][]byte{"cert": cert, "key": key, "client_ca": ca.PEM(), "server_ca": ca.PEM()}
	for _, file := range files {
		for _, at := range regexp.MustCompile(`\b(cert|key|client_ca|server_ca): ([\w/.-]+\.pem)`).FindAllStringSubmatch(read(t, file), -1) {
			path := filepath.Join(filepath.Dir(file), at[2])
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, path, string(texts[at[1]]))
		}
	}
	return files
}
