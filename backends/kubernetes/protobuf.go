package kubernetes

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Objects of which metadata is enough come as protobuf where the server can: a Node has
// some kilobytes of what does not matter, and JSON must be read to its end.
const (
	protobufType  = "application/vnd.kubernetes.protobuf"
	protobufMagic = "k8s\x00" // starts each message but a watch's own
	// maxMessage bounds a message: etcd holds no object that is larger, and a page has
	// few of that size.
	maxMessage = 256 << 20
)

// message is one of Kubernetes' types.
type message interface{ Unmarshal(data []byte) error }

// isProtobuf says whether an answer is protobuf.
func isProtobuf(resp *http.Response) bool {
	return strings.HasPrefix(resp.Header.Get("Content-Type"), protobufType)
}

// readProtobuf reads a message with its envelope.
func readProtobuf(data []byte, into message) error {
	var envelope runtime.Unknown
	inner, ok := bytes.CutPrefix(data, []byte(protobufMagic))
	if !ok {
		return errors.New("the server's answer is no protobuf of Kubernetes'")
	}
	if err := envelope.Unmarshal(inner); err != nil {
		return fmt.Errorf("the server's answer as protobuf: %w", err)
	}
	if err := into.Unmarshal(envelope.Raw); err != nil {
		return fmt.Errorf("the server's answer as protobuf: %w", err)
	}
	return nil
}

// readProtobufList is decodeList for a list of metadata.
func readProtobufList(r io.Reader, each func(*object) error) (listMeta, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxMessage))
	if err != nil {
		return listMeta{}, err
	}
	var list metav1.PartialObjectMetadataList
	if err := readProtobuf(data, &list); err != nil {
		return listMeta{}, err
	}
	meta := listMeta{ResourceVersion: list.ResourceVersion, Continue: list.Continue}
	if list.RemainingItemCount != nil {
		meta.Remaining = int(*list.RemainingItemCount)
	}
	if meta.ResourceVersion == "" {
		return meta, errors.New("the server's answer is no list")
	}
	for i := range list.Items {
		o, err := objectOf(&list.Items[i].ObjectMeta, true)
		if err == nil {
			err = each(o)
		}
		if err != nil {
			return meta, err
		}
	}
	return meta, nil
}

// objectOf is an object that there is no more of than its metadata; named says that it
// must have a name.
func objectOf(m *metav1.ObjectMeta, named bool) (*object, error) {
	if named && m.Name == "" {
		return nil, errNameless
	}
	return &object{Metadata: metadata{
		Name: m.Name, Namespace: m.Namespace, ResourceVersion: m.ResourceVersion, Labels: m.Labels, Annotations: m.Annotations,
	}}, nil
}

// readProtobufFrame reads one message of a watch: its length in four bytes, and a
// WatchEvent without an envelope, whose object has one.
func readProtobufFrame(r io.Reader) (frame, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxMessage {
		return frame{}, fmt.Errorf("a message of %d bytes in a watch; %d are the most", n, maxMessage)
	}
	var data bytes.Buffer // grows with what comes, whatever the length says
	if _, err := io.CopyN(&data, r, int64(n)); err != nil {
		return frame{}, cutOff(err)
	}
	var event metav1.WatchEvent
	if err := event.Unmarshal(data.Bytes()); err != nil {
		return frame{}, fmt.Errorf("a watch as protobuf: %w", err)
	}
	fr := frame{Type: event.Type}
	if event.Type == "ERROR" {
		var err error
		fr.status, err = readProtobufStatus(event.Object.Raw)
		return fr, err
	}
	var o metav1.PartialObjectMetadata
	if err := readProtobuf(event.Object.Raw, &o); err != nil {
		return frame{}, err
	}
	var err error
	fr.object, err = objectOf(&o.ObjectMeta, event.Type != "BOOKMARK")
	return fr, err
}

// readProtobufStatus reads a refusal.
func readProtobufStatus(data []byte) (status, error) {
	var st metav1.Status
	if err := readProtobuf(data, &st); err != nil {
		return status{}, err
	}
	s := status{Message: st.Message, Code: int(st.Code)}
	if st.Details != nil {
		s.Details.RetryAfterSeconds = int(st.Details.RetryAfterSeconds)
	}
	return s, nil
}
