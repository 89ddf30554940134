package templates

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/kelseyhightower/memkv"

	"confd/bgp"
)

// lookupTimeout bounds one question to the resolver.
const lookupTimeout = 2 * time.Second

// maxSequence bounds seq, which makes its whole list at once.
const maxSequence = 1 << 20

// functions are what templates can call: Calico's contract, and what the confd
// before it had; and those of our own templates.
func (r *run) functions() template.FuncMap {
	m := template.FuncMap{
		tickName: r.tick, enterName: r.enter, leaveName: r.leave,

		"bgpFilterFunctionName": filterFunctionName, "hashToIPv4": hashToIPv4,
		// Release 3.26 calls it by another name, and bgpFilterBIRDFuncs, too.
		"emitFunctionName": filterFunctionName,

		"print": printed, "println": printedLine, "printf": printedf, "html": escaped(template.HTMLEscaper), "js": escaped(template.JSEscaper), "urlquery": escaped(template.URLQueryEscaper),

		"base": path.Base, "dir": path.Dir, "split": strings.Split, "join": join,
		"toUpper": strings.ToUpper, "toLower": strings.ToLower, "contains": strings.Contains,
		"replace": replace, "hasSuffix": strings.HasSuffix, "hasPrefix": strings.HasPrefix,
		"trimSuffix": strings.TrimSuffix,

		"json": parseObject, "jsonArray": parseArray, "map": makeMap,
		"base64Encode": encodeBase64, "base64Decode": decodeBase64,
		"parseBool": strconv.ParseBool, "atoi": strconv.Atoi, "seq": sequence,
		"add": func(a, b int) int { return a + b },
		"sub": func(a, b int) int { return a - b },
		"mul": func(a, b int) int { return a * b },
		"div": divide, "mod": modulo,
		"reverse": reversed, "sortByLength": sortByLength, "sortKVByLength": sortKVByLength,
	}
	maps.Copy(m, dataFunctions())
	maps.Copy(m, r.asking())
	return m
}

// asking are those of the functions whose results depend on more than their arguments.
func (r *run) asking() template.FuncMap {
	return template.FuncMap{
		"exists": r.keys.exists, "get": r.keys.get, "getv": r.keys.getv, "gets": r.keys.gets,
		"getvs": r.keys.getvs, "ls": r.keys.ls, "lsdir": r.keys.lsdir,

		"getBGPConfig": r.bgpConfig, "bgpFilterBIRDFuncs": r.filterFunctions, "emitBIRDBGPFilterFuncs": r.filterFunctions,

		"getenv": r.getenv, "fileExists": fileExists, "datetime": time.Now,
		"lookupIP": r.lookupIP, "lookupIPV4": r.lookupIPv4, "lookupIPV6": r.lookupIPv6, "lookupSRV": r.lookupSRV,
		eachSessionName: func(definition string, f Family) (string, error) { return "", r.eachSession(definition, f, r.asking) },
	}
}

// getenv gives an environment variable, or the default where it is empty.
func (r *run) getenv(key string, fallback ...string) string {
	v := r.in.Env(key)
	if v == "" && key == "NODENAME" && r.in.Config != nil {
		v = r.in.Config.Node
	}
	if v == "" && len(fallback) > 0 {
		return fallback[0]
	}
	return v
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// parseObject reads a JSON object. Its numbers are float64, as in Calico's
// engine, because its templates compare them with literals and ask whether
// they are zero. From 10^6 on they print with an exponent; no number of the key
// tree reaches that, because AS numbers and times are strings there.
func parseObject(text string) (map[string]any, error) {
	var v map[string]any
	err := json.Unmarshal([]byte(text), &v)
	return v, err
}

// parseArray reads a JSON list; see parseObject.
func parseArray(text string) ([]any, error) {
	var v []any
	err := json.Unmarshal([]byte(text), &v)
	return v, err
}

// makeMap makes a map of its arguments: a key, its value, and so on.
func makeMap(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("needs a value for each key: the number of arguments is odd")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("argument %d is a key and must be a string", i+1)
		}
		m[key] = pairs[i+1]
	}
	if roomBeside(m, defaultMaxOutput) < 0 {
		return nil, fmt.Errorf("makes a map of more than %d bytes, with the maps in it", defaultMaxOutput)
	}
	return m, nil
}

// roomBeside is what is left of room when v has been printed, about; below 0: it does not
// fit. A map that is in others many times is printed as often, so that a few of them can
// come to more than there is memory; and what a template has no use for any more it can
// only keep in maps.
func roomBeside(v any, room int) int {
	const each = 8 // what stands around a value
	switch v := v.(type) {
	case string:
		return room - each - len(v)
	case map[string]any:
		for key, value := range v {
			if room = roomBeside(value, room-len(key)); room < 0 {
				return room
			}
		}
	case []any:
		for _, value := range v {
			if room = roomBeside(value, room); room < 0 {
				return room
			}
		}
	case []string:
		for _, text := range v {
			room -= each + len(text)
		}
	case memkv.KVPairs:
		for _, kv := range v {
			room -= each + len(kv.Key) + len(kv.Value)
		}
	}
	return room - each
}

func encodeBase64(s string) (string, error) {
	return short(base64.StdEncoding.EncodeToString([]byte(s)))
}

func decodeBase64(s string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	return string(b), err
}

// sequence is first, first+1, ... last; empty where last is below first.
func sequence(first, last int) ([]int, error) {
	if last < first {
		return []int{}, nil
	}
	if uint(last-first) >= maxSequence {
		return nil, fmt.Errorf("a list of more than %d numbers", maxSequence)
	}
	list := make([]int, last-first+1)
	for n := range list { // last itself may be the largest number
		list[n] = first + n
	}
	return list, nil
}

func divide(a, b int) (int, error) {
	if b == 0 {
		return 0, errors.New("division by zero")
	}
	return a / b, nil
}

func modulo(a, b int) (int, error) {
	if b == 0 {
		return 0, errors.New("division by zero")
	}
	return a % b, nil
}

// reversed turns a list of strings or of key-value pairs around, and leaves the
// list that it was given alone.
func reversed(list any) (any, error) {
	switch list := list.(type) {
	case []string:
		list = slices.Clone(list)
		slices.Reverse(list)
		return list, nil
	case memkv.KVPairs:
		list = slices.Clone(list)
		slices.Reverse(list)
		return list, nil
	case []memkv.KVPair:
		return reversed(memkv.KVPairs(list))
	}
	return nil, fmt.Errorf("can turn lists of strings and of key-value pairs around, not %T", list)
}

// sortByLength is the list with its shortest strings first.
func sortByLength(list []string) []string {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b string) int { return len(a) - len(b) })
	return list
}

// sortKVByLength is the list with its shortest keys first.
func sortKVByLength(list memkv.KVPairs) memkv.KVPairs {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b memkv.KVPair) int { return len(a.Key) - len(b.Key) })
	return list
}

// hashToIPv4 makes a router ID of a name.
func hashToIPv4(name string) string { return bgp.HashRouterID(name).String() }

func (r *run) lookupIP(name string) ([]string, error)   { return r.lookup("ip", name) }
func (r *run) lookupIPv4(name string) ([]string, error) { return r.lookup("ip4", name) }
func (r *run) lookupIPv6(name string) ([]string, error) { return r.lookup("ip6", name) }

// lookup gives the addresses of a name, sorted as text. A name that does not
// resolve has none, as in Calico's engine.
func (r *run) lookup(network, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(r.ctx, lookupTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, network, name)
	if err != nil {
		return nil, ended(r.ctx)
	}
	list := make([]string, len(addresses))
	for i, a := range addresses {
		list[i] = a.Unmap().String()
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// lookupSRV gives the SRV records of a service, sorted by target and port; none
// where it has none.
func (r *run) lookupSRV(service, proto, name string) ([]*net.SRV, error) {
	ctx, cancel := context.WithTimeout(r.ctx, lookupTimeout)
	defer cancel()
	_, records, err := net.DefaultResolver.LookupSRV(ctx, service, proto, name)
	if err != nil {
		return nil, ended(r.ctx)
	}
	slices.SortFunc(records, func(a, b *net.SRV) int {
		return strings.Compare(srvOrder(a), srvOrder(b))
	})
	return records, nil
}

func srvOrder(s *net.SRV) string {
	return fmt.Sprintf("%s %05d %05d %05d", s.Target, s.Port, s.Priority, s.Weight)
}

// maxText is how long a text that a function makes may be. Without a limit a
// template that doubles a text would soon take all memory.
const maxText = 16 << 20

// short passes on a text that is not too long.
func short(s string) (string, error) { return s, fits(len(s)) }

// fits says why a text of so many bytes is too long.
func fits(size int) error {
	if size > maxText {
		return fmt.Errorf("makes a text of %d bytes; %d are the most", size, maxText)
	}
	return nil
}

// printed, printedLine, printedf and escaped are text/template's print, println, printf and
// html, js and urlquery with that limit.
func printed(a ...any) (string, error) { return short(fmt.Sprint(a...)) }

func printedLine(a ...any) (string, error) { return short(fmt.Sprintln(a...)) }

func printedf(format string, a ...any) (string, error) { return short(fmt.Sprintf(format, a...)) }

func escaped(escape func(...any) string) func(...any) (string, error) {
	return func(a ...any) (string, error) { return short(escape(a...)) }
}

// join and replace have it, too. They square a text in one step, so that what it comes to
// is counted before it is made.
func join(texts []string, separator string) (string, error) {
	size := len(separator) * max(0, len(texts)-1)
	for _, t := range texts {
		size += len(t)
	}
	if err := fits(size); err != nil {
		return "", err
	}
	return strings.Join(texts, separator), nil
}

func replace(s, old, with string, n int) (string, error) {
	count := strings.Count(s, old)
	if n >= 0 {
		count = min(count, n)
	}
	if err := fits(len(s) + count*(len(with)-len(old))); err != nil {
		return "", err
	}
	return strings.Replace(s, old, with, n), nil
}
