package backends

// The codes of warnings about input. See Codes for what each one means.
const (
	Unusable Code = "unusable"
)
