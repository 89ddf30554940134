#!/bin/bash
# A TOML file with two keys of one table that differ in case only, which TOML calls two keys: github.com/BurntSushi/toml v1.6.0 puts both into the same
# field of a struct, and which value stays is another one from run to run, and within one process. The key that is the field's own name, letter for letter,
# does not win. There is no error, and MetaData.Undecoded names neither: a program reads other settings from the same file at every start.
# Guess before: the one that is spelled as the field wins; or the last one of the file.
# Also seen: github.com/pelletier/go-toml/v2 v2.2.4 takes the last one of the file, always.
# Seen, of 1000 times: BurntSushi each of the three values, more than once; pelletier one value.
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
printf 'module twice\n\ngo 1.24\n' >go.mod
cat >main.go <<'END'
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"

	burnt "github.com/BurntSushi/toml"
	pelletier "github.com/pelletier/go-toml/v2"
)

const text = "src = \"own name\"\nSrc = \"capital\"\nSRC = \"capitals\"\n"

type file struct {
	Src string `toml:"src"`
}

func main() {
	first, second := map[string]int{}, map[string]int{}
	undecoded := 0
	for range 1000 {
		var a, b file
		meta, err := burnt.Decode(text, &a)
		if err == nil {
			err = pelletier.Unmarshal([]byte(text), &b)
		}
		if err != nil {
			fmt.Println("changed: there is an error:", err)
			os.Exit(1)
		}
		first[a.Src]++
		second[b.Src]++
		undecoded += len(meta.Undecoded())
	}
	fmt.Println("BurntSushi:", slices.Sorted(maps.Keys(first)), "undecoded:", undecoded)
	fmt.Println("pelletier:", slices.Sorted(maps.Keys(second)))
	if len(first) != 3 || undecoded > 0 || len(second) != 1 || second["capitals"] != 1000 {
		fmt.Println("changed")
		os.Exit(1)
	}
}
END
export GOFLAGS=-mod=mod
go get github.com/BurntSushi/toml@v1.6.0 github.com/pelletier/go-toml/v2@v2.2.4 >log 2>&1 || { echo "cannot fetch the modules"; exit 2; }
go run .
