package kubernetes

import (
	"encoding/json"
	"testing"
)

func TestEssenceDropsWhatDoesNotMatter(t *testing.T) {
	const raw = `{"kind": "Node", "metadata": {"name": "n", "resourceVersion": "7", "managedFields": [{}], "annotations": {"a": "b", "projectcalico.org/x": "y"}},
		"spec": {"a":  1}, "status": {"images": [1, 2], "loadBalancer": {}}}`
	o, err := parseObject(json.RawMessage(raw), true)
	if err != nil {
		t.Fatal(err)
	}
	got, err := o.essence()
	const want = `{"metadata":{"name":"n","annotations":{"projectcalico.org/x":"y"}},"spec":{"a":1},"status":{"loadBalancer":{}}}`
	if string(got.bytes) != want || err != nil {
		t.Errorf("got %s, %v", got.bytes, err)
	}
	if o.Metadata.Annotations["a"] != "b" {
		t.Error("the object itself was changed")
	}
}
