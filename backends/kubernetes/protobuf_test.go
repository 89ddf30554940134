package kubernetes

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
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
	bookmark := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "7", Annotations: map[string]string{initialEnd: "true"}}}
	body := bytes.NewReader(bytes.Join([][]byte{
		framed(t, "ADDED", enveloped(t, nodeMetadata("a"))), framed(t, "BOOKMARK", enveloped(t, bookmark)), framed(t, "ERROR", enveloped(t, gone)),
	}, nil))
	next := newDecoder(metadataShape()).frames(body)
	var got []string
	for {
		fr, err := next()
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
		got = append(got, strings.Join([]string{fr.Type, m.Name, m.ResourceVersion, m.Annotations[initialEnd], fmt.Sprint(fr.object.read.fields)}, " "))
	}
	const said = " map[metadata:map[annotations:map[projectcalico.org/IPv4Address:10.0.0.1/24] labels:map[rack:a] name:a resourceVersion:7]]"
	const end = " map[metadata:map[annotations:map[k8s.io/initial-events-end:true] resourceVersion:7]]"
	if diff := cmp.Diff([]string{"ADDED a 7 " + said, "BOOKMARK  7 true" + end, "410 Gone: too old"}, got); diff != "" {
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
		if fr, err := newDecoder(metadataShape()).frames(bytes.NewReader(body))(); err == nil || errors.Is(err, io.EOF) {
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
	meta, err := newDecoder(metadataShape()).list(bytes.NewReader(enveloped(t, list)), func(o *object) error { names = append(names, o.Metadata.Name); return nil })
	if err != nil || meta != (listMeta{"9", "c", 5}) || strings.Join(names, " ") != "a b" {
		t.Errorf("%+v, %v, %v", meta, names, err)
	}
	for name, body := range map[string][]byte{"nothing": nil, "JSON": []byte("{}"), "no list": enveloped(t, nodeMetadata("a")), "cut off": enveloped(t, list)[:40]} {
		if _, err := newDecoder(metadataShape()).list(bytes.NewReader(body), func(*object) error { return nil }); err == nil {
			t.Errorf("%s is read as a list", name)
		}
	}
}

func FuzzProtobuf(f *testing.F) {
	f.Add(framed(f, "ADDED", enveloped(f, nodeMetadata("a"))))
	f.Add(framed(f, "ERROR", enveloped(f, &metav1.Status{Code: 410})))
	f.Add(framed(f, "ADDED", enveloped(f, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "a"}, Spec: corev1.ServiceSpec{ClusterIPs: []string{"10.0.0.1"}}})))
	f.Add(enveloped(f, &discoveryv1.EndpointSliceList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: []discoveryv1.EndpointSlice{{Endpoints: []discoveryv1.Endpoint{{}}}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range []shape{metadataShape(), nodeShape(), serviceShape(), endpointSliceShape()} {
			next := newDecoder(s).frames(bytes.NewReader(data))
			for fr, err := next(); err == nil; fr, err = next() {
				if fr.Type != "ERROR" && fr.object == nil {
					t.Fatalf("a frame without an object: %+v", fr)
				}
			}
			_, _ = newDecoder(s).list(bytes.NewReader(data), func(*object) error { return nil })
		}
	})
}

// TestDecoderForgets: of a version, which comes once, nothing is remembered, and of the
// rest nothing after the whole collection has come.
func TestDecoderForgets(t *testing.T) {
	d := newDecoder(metadataShape())
	bookmark := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "8", Annotations: map[string]string{initialEnd: "true"}}}
	next := d.frames(bytes.NewReader(slices.Concat(framed(t, "ADDED", enveloped(t, nodeMetadata("a"))), framed(t, "BOOKMARK", enveloped(t, bookmark)))))
	read := func() *object {
		fr, err := next()
		if err != nil {
			t.Fatal(err)
		}
		return fr.object
	}
	if o := read(); o.Metadata.ResourceVersion != "7" || d.texts["a"] != "a" || d.texts["7"] != "" {
		t.Errorf("%+v; remembered: %v", o.Metadata, d.texts)
	}
	if o := read(); o.Metadata.ResourceVersion != "8" || len(d.texts) != 0 || d.buffer.Cap() != 0 {
		t.Errorf("%+v; remembered after the end: %v, %d bytes", o.Metadata, d.texts, d.buffer.Cap())
	}
}

// TestDecoderReusesTables: what was read is there while the next one is, and what is read
// after that has nothing of it.
func TestDecoderReusesTables(t *testing.T) {
	many := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: "many", Labels: map[string]string{"rack": "a"}}}
	for i := range mostTables {
		node := fmt.Sprint("node-", i)
		many.Endpoints = append(many.Endpoints, discoveryv1.Endpoint{NodeName: &node, Conditions: discoveryv1.EndpointConditions{Ready: new(i%2 == 0)}})
	}
	few := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: "few"}, Endpoints: []discoveryv1.Endpoint{{}}}
	d := newDecoder(endpointSliceShape())
	read := func(s *discoveryv1.EndpointSlice) map[string]any {
		data, err := s.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		e, err := d.read(data)
		if err != nil {
			t.Fatal(err)
		}
		return e.fields
	}
	alone := func(s *discoveryv1.EndpointSlice) string {
		data, _ := s.Marshal()
		e, err := newDecoder(endpointSliceShape()).read(data)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(e.fields)
	}
	for range 3 {
		for _, s := range []*discoveryv1.EndpointSlice{many, few, few, many} {
			fields := read(s)
			read(few)
			if diff := cmp.Diff(alone(s), fmt.Sprint(fields)); diff != "" {
				t.Fatalf("%s, after the next one was read: %s", s.Name, diff)
			}
		}
	}
}
