package kubernetes

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Objects of Kubernetes' own kinds come as protobuf where the server can: they have
// kilobytes of what does not matter, and JSON must be read to its end.
const (
	protobufType  = "application/vnd.kubernetes.protobuf"
	protobufMagic = "k8s\x00" // starts each message but a watch's own
	readSize      = 32 << 10  // at a time, from a watch
	// maxMessage bounds a message: etcd holds no object that is larger, and a page has
	// few of that size.
	maxMessage = 256 << 20
)

// isProtobuf says whether an answer is protobuf.
func isProtobuf(resp *http.Response) bool {
	return strings.HasPrefix(resp.Header.Get("Content-Type"), protobufType)
}

// unwrapped is a message without its envelope, in the same memory.
func unwrapped(data []byte) ([]byte, error) {
	const raw = 2 // runtime.Unknown
	envelope, ok := bytes.CutPrefix(data, []byte(protobufMagic))
	if !ok {
		return nil, errors.New("the server's answer is no protobuf of Kubernetes'")
	}
	return bytesOf(envelope, raw)
}

// bytesOf is a field of a message, in the same memory; nil: there is none.
func bytesOf(data []byte, number protowire.Number) (value []byte, err error) {
	err = eachField(data, func(f protoField) error {
		if f.number == number && f.kind == protowire.BytesType {
			value = f.bytes()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("the server's answer as protobuf: %w", err)
	}
	return value, nil
}

// list is decodeList for protobuf.
func (d *decoder) list(r io.Reader, each func(*object) error) (listMeta, error) {
	const metadata, items = 1, 2 // of every list
	if _, err := d.buffer.ReadFrom(io.LimitReader(r, maxMessage)); err != nil {
		return listMeta{}, err
	}
	data, err := unwrapped(d.buffer.Bytes())
	if err != nil {
		return listMeta{}, err
	}
	head, err := bytesOf(data, metadata)
	if err != nil {
		return listMeta{}, err
	}
	meta, err := readListMeta(head)
	if err != nil {
		return meta, err
	}
	return meta, eachField(data, func(f protoField) error {
		if f.number != items || f.kind != protowire.BytesType {
			return nil
		}
		o, err := d.object(f.bytes(), true)
		if err != nil {
			return err
		}
		return each(o)
	})
}

func readListMeta(data []byte) (listMeta, error) {
	var m metav1.ListMeta
	if err := m.Unmarshal(data); err != nil {
		return listMeta{}, fmt.Errorf("the server's answer as protobuf: %w", err)
	}
	if m.ResourceVersion == "" {
		return listMeta{}, errors.New("the server's answer is no list")
	}
	meta := listMeta{ResourceVersion: m.ResourceVersion, Continue: m.Continue}
	if m.RemainingItemCount != nil {
		meta.Remaining = int(*m.RemainingItemCount)
	}
	return meta, nil
}

// object reads an object; named says that it must have a name.
func (d *decoder) object(data []byte, named bool) (*object, error) {
	is, err := d.read(data)
	if err != nil {
		return nil, err
	}
	o := &object{read: &is}
	meta, _ := is.fields["metadata"].(map[string]any)
	o.Metadata.Name, _ = meta["name"].(string)
	o.Metadata.Namespace, _ = meta["namespace"].(string)
	o.Metadata.ResourceVersion, _ = meta["resourceVersion"].(string)
	annotations, _ := meta["annotations"].(map[string]any)
	if end, ok := annotations[initialEnd].(string); ok {
		o.Metadata.Annotations = map[string]string{initialEnd: end}
	}
	if named && o.Metadata.Name == "" {
		return nil, errNameless
	}
	return o, nil
}

// frames reads the messages of a watch: the length of each in four bytes, and a
// WatchEvent without an envelope, whose object has one.
func (d *decoder) frames(r io.Reader) func() (frame, error) {
	const kind, object, raw = 1, 2, 1 // metav1.WatchEvent, runtime.RawExtension
	buffered := bufio.NewReaderSize(r, readSize)
	return func() (fr frame, err error) {
		data, err := d.frame(buffered)
		if err != nil {
			return fr, err
		}
		name, err := bytesOf(data, kind)
		if err != nil {
			return fr, err
		}
		fr.Type = string(name)
		if data, err = bytesOf(data, object); err != nil {
			return fr, err
		}
		if data, err = bytesOf(data, raw); err != nil {
			return fr, err
		}
		return fr, d.about(&fr, data)
	}
}

// about reads what a frame is about.
func (d *decoder) about(fr *frame, data []byte) (err error) {
	if fr.Type == "ERROR" {
		fr.status, err = readProtobufStatus(data)
		return err
	}
	if data, err = unwrapped(data); err != nil {
		return err
	}
	fr.object, err = d.object(data, fr.Type != "BOOKMARK")
	if err == nil && fr.object.Metadata.Annotations[initialEnd] != "" { // now they come one by one
		d.forget()
	}
	return err
}

// frame reads a message with its length before it. It is there until the next one is
// read.
func (d *decoder) frame(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes in a watch; %d are the most", n, maxMessage)
	}
	d.buffer.Reset() // grows with what comes, whatever the length says
	if _, err := io.CopyN(&d.buffer, r, int64(n)); err != nil {
		return nil, cutOff(err)
	}
	return d.buffer.Bytes(), nil
}

// readProtobufStatus reads a refusal.
func readProtobufStatus(data []byte) (status, error) {
	data, err := unwrapped(data)
	if err != nil {
		return status{}, err
	}
	var st metav1.Status
	if err := st.Unmarshal(data); err != nil {
		return status{}, fmt.Errorf("the server's answer as protobuf: %w", err)
	}
	s := status{Message: st.Message, Code: int(st.Code)}
	if st.Details != nil {
		s.Details.RetryAfterSeconds = int(st.Details.RetryAfterSeconds)
	}
	return s, nil
}
