package etcd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"confd/backends"
)

// Annotate gives one of Calico's objects an annotation, or takes it away (value is
// empty); all else of the object stays. That there is no such object is an error, and so
// is one that somebody else changes at that moment. It is the only thing that is ever
// written: a Backend writes nothing.
func Annotate(ctx context.Context, cfg Config, k backends.Key, name, value string) error {
	b, err := New(cfg)
	if err == nil {
		err = b.annotate(ctx, k, name, value)
	}
	if err != nil {
		return fmt.Errorf("annotating %s: %w", k, err)
	}
	return nil
}

func (b *Backend) annotate(ctx context.Context, k backends.Key, name, value string) error {
	key := ""
	for _, r := range b.ranges {
		if r.kind == k.Kind && r.kind != backends.KindBlockAffinity {
			key = r.dir + k.Name
		}
	}
	if key == "" {
		return errors.New("objects of this kind are not annotated")
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.RequestTimeout)
	defer cancel()
	client, err := b.connect(ctx)
	if err != nil {
		return b.at(err)
	}
	defer client.Close()
	was, err := client.Get(ctx, key)
	if err != nil {
		return b.at(err)
	}
	if len(was.Kvs) == 0 {
		return errors.New("there is no such object")
	}
	text, err := annotated(was.Kvs[0].Value, name, value)
	if err != nil {
		return err
	}
	done, err := client.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", was.Kvs[0].ModRevision)).Then(clientv3.OpPut(key, string(text))).Commit()
	switch {
	case err != nil:
		return b.at(err)
	case !done.Succeeded:
		return errors.New("somebody else has changed it at the same moment: try again")
	}
	return nil
}

// annotated is an object's text with the annotation, or without it.
func annotated(text []byte, name, value string) ([]byte, error) {
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // numbers stay as they are written
	if err := d.Decode(&object); err != nil {
		return nil, fmt.Errorf("what etcd has is no object: %w", err)
	}
	meta, ok := object["metadata"].(map[string]any)
	if !ok {
		return nil, errors.New("what etcd has is an object without metadata")
	}
	annotations, _ := meta["annotations"].(map[string]any)
	if annotations == nil {
		annotations = map[string]any{}
	}
	if annotations[name] = value; value == "" {
		delete(annotations, name)
	}
	if meta["annotations"] = annotations; len(annotations) == 0 {
		delete(meta, "annotations")
	}
	return json.Marshal(object)
}
