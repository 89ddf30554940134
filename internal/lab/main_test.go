package lab_test

import (
	"testing"

	"confd/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }
