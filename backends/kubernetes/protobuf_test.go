package kubernetes

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// enveloped is a message as a server sends it.
func enveloped(t testing.TB, m interface{ Marshal() ([]byte, error) }) []byte {
	t.Helper()
	raw, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	data, err := (&runtime.Unknown{Raw: raw}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte(protobufMagic), data...)
}

// framed is an event of a watch.
func framed(t testing.TB, kind string, object []byte) []byte {
	t.Helper()
	data, err := (&metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: object}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
}

func nodeMetadata(name string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: name, ResourceVersion: "7", Labels: map[string]string{"rack": "a"}, Annotations: map[string]string{"projectcalico.org/IPv4Address": "10.0.0.1/24"},
	}}
}

func TestProtobufFrames(t *testing.T) {
	gone := &metav1.Status{Message: "too old", Code: 410, Details: &metav1.StatusDetails{RetryAfterSeconds: 3}}
	body := bytes.NewReader(bytes.Join([][]byte{
		framed(t, "ADDED", enveloped(t, nodeMetadata("a"))), framed(t, "BOOKMARK", enveloped(t, nodeMetadata(""))), framed(t, "ERROR", enveloped(t, gone)),
	}, nil))
	var got []string
	for {
		fr, err := readProtobufFrame(body)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if fr.Type == "ERROR" {
			got = append(got, fr.status.err(0).Error())
			continue
		}
		m := fr.object.Metadata
		got = append(got, strings.Join([]string{fr.Type, m.Name, m.ResourceVersion, m.Labels["rack"], m.Annotations["projectcalico.org/IPv4Address"]}, " "))
	}
	if diff := cmp.Diff([]string{"ADDED a 7 a 10.0.0.1/24", "BOOKMARK  7 a 10.0.0.1/24", "410 Gone: too old"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestBrokenProtobuf(t *testing.T) {
	whole := framed(t, "ADDED", enveloped(t, nodeMetadata("a")))
	for name, body := range map[string][]byte{
		"cut off":         whole[:len(whole)-3],
		"a huge length":   append([]byte{0xff, 0xff, 0xff, 0xff}, whole[4:]...),
		"no envelope":     framed(t, "ADDED", []byte("x")),
		"without a name":  framed(t, "ADDED", enveloped(t, nodeMetadata(""))),
		"no watch at all": []byte("\x00\x00\x00\x02{}"),
	} {
		if fr, err := readProtobufFrame(bytes.NewReader(body)); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %+v, %v", name, fr, err)
		}
	}
}

func TestProtobufList(t *testing.T) {
	more := int64(5)
	list := &metav1.PartialObjectMetadataList{
		ListMeta: metav1.ListMeta{ResourceVersion: "9", Continue: "c", RemainingItemCount: &more},
		Items:    []metav1.PartialObjectMetadata{*nodeMetadata("a"), *nodeMetadata("b")},
	}
	var names []string
	meta, err := readProtobufList(bytes.NewReader(enveloped(t, list)), func(o *object) error { names = append(names, o.Metadata.Name); return nil })
	if err != nil || meta != (listMeta{"9", "c", 5}) || strings.Join(names, " ") != "a b" {
		t.Errorf("%+v, %v, %v", meta, names, err)
	}
	for name, body := range map[string][]byte{"nothing": nil, "JSON": []byte("{}"), "no list": enveloped(t, nodeMetadata("a")), "cut off": enveloped(t, list)[:40]} {
		if _, err := readProtobufList(bytes.NewReader(body), func(*object) error { return nil }); err == nil {
			t.Errorf("%s is read as a list", name)
		}
	}
}

func FuzzProtobuf(f *testing.F) {
	f.Add(framed(f, "ADDED", enveloped(f, nodeMetadata("a"))))
	f.Add(framed(f, "ERROR", enveloped(f, &metav1.Status{Code: 410})))
	f.Fuzz(func(t *testing.T, data []byte) {
		body := bytes.NewReader(data)
		for fr, err := readProtobufFrame(body); err == nil; fr, err = readProtobufFrame(body) {
			if fr.Type != "ERROR" && fr.object == nil {
				t.Fatalf("a frame without an object: %+v", fr)
			}
		}
		_, _ = readProtobufList(bytes.NewReader(data), func(*object) error { return nil })
	})
}
