package agent

import (
	"fmt"
	"iter"
	"slices"

	"confd/backends"
)

// few keeps log lines readable: the first names, and how many there are.
func few(names []string) string {
	const most = 5
	if len(names) == 0 {
		return "0"
	}
	more := ""
	if len(names) > most {
		more = " ..."
	}
	return fmt.Sprintf("%d %v%s", len(names), names[:min(len(names), most)], more)
}

func keyTexts(keys []backends.Key) []string {
	list := make([]string, len(keys))
	for i, k := range keys {
		list[i] = k.String()
	}
	return list
}

func sortedKeys(keys iter.Seq[backends.Key]) []backends.Key {
	return slices.SortedFunc(keys, backends.Key.Compare)
}

// after puts sign before a text that is not empty.
func after(sign, text string) string {
	if text == "" {
		return ""
	}
	return sign + text
}
