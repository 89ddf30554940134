package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// pageSize is how many objects a page of a list has.
const pageSize = 500

// listMeta is a list's own metadata.
type listMeta struct {
	ResourceVersion string `json:"resourceVersion"`
	Continue        string `json:"continue"`
	// Remaining is how many objects follow the page, as far as the server says.
	Remaining int `json:"remainingItemCount"`
}

// list reads the whole collection, page by page, and returns how it differs
// from what was delivered.
func (f *feed) list(ctx context.Context) (*changes, error) {
	c := f.table.change()
	present := map[objectID]struct{}{}
	query := f.query()
	query.Set("limit", strconv.Itoa(pageSize))
	for {
		meta, err := f.page(ctx, query, func(o *object) error {
			if len(f.table.entries) > 0 {
				present[o.id()] = struct{}{}
			}
			return c.put(o, f.read)
		})
		if codeOf(err) == http.StatusGone && query.Has("continue") {
			// The pages took longer than the store keeps old versions.
			return nil, fmt.Errorf("the list changed faster than it could be read: %w", err)
		}
		if err != nil {
			return nil, err
		}
		c.revision = meta.ResourceVersion
		if meta.Continue == "" {
			c.removeAllBut(present)
			return c, nil
		}
		query.Set("continue", meta.Continue)
	}
}

func (f *feed) query() url.Values {
	q := url.Values{}
	if f.selector != "" {
		q.Set("fieldSelector", f.selector)
	}
	return q
}

// page reads one page.
func (f *feed) page(ctx context.Context, query url.Values, each func(*object) error) (listMeta, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, err := f.client.get(ctx, f.path, query, f.accept("PartialObjectMetadataList"))
	if err != nil {
		return listMeta{}, err
	}
	defer resp.Body.Close()
	body := newImpatient(resp.Body, loadIdle, cancel)
	if isProtobuf(resp) {
		return newDecoder(f.shape).list(body, each)
	}
	return decodeList(body, each)
}

// accept is what the server may send; partial is what of an object's metadata is
// called.
func (c collection) accept(partial string) string {
	const json = "application/json"
	as := ";as=" + partial + ";g=meta.k8s.io;v=v1"
	switch {
	case c.shape == nil:
		return json
	case c.metadataOnly:
		return strings.Join([]string{protobufType + as, json + as, json}, ",")
	}
	return protobufType + "," + json
}

// decodeList reads a list one object at a time. An answer that is cut off, or
// is no list, is an error.
func decodeList(r io.Reader, each func(*object) error) (meta listMeta, err error) {
	d := json.NewDecoder(r)
	if err := expect(d, '{'); err != nil {
		return meta, err
	}
	items := false
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return meta, cutOff(err)
		}
		switch name {
		case "metadata":
			err = d.Decode(&meta)
		case "items":
			items = true
			err = decodeItems(d, each)
		default:
			var skip json.RawMessage
			err = d.Decode(&skip)
		}
		if err != nil {
			return meta, cutOff(err)
		}
	}
	if err := expect(d, '}'); err != nil {
		return meta, err
	}
	if !items || meta.ResourceVersion == "" {
		return meta, errors.New("the server's answer is no list")
	}
	return meta, nil
}

func decodeItems(d *json.Decoder, each func(*object) error) error {
	start, err := d.Token()
	if err != nil || start == nil { // null: none
		return err
	}
	if start != json.Delim('[') {
		return errors.New("the server's answer is no list")
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		o, err := parseObject(raw, true)
		if err == nil {
			err = each(o)
		}
		if err != nil {
			return err
		}
	}
	return expect(d, ']')
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err != nil {
		return cutOff(err)
	}
	if got != want {
		return fmt.Errorf("the server's answer has %v where %v should be", got, want)
	}
	return nil
}

// cutOff makes the end of an answer in its middle an error that says so.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
