package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"confd/internal/asyaml"
	"confd/internal/terminal"
)

// answer is what is printed: a value for programs, which writes itself for people.
type answer interface{ Text(p *terminal.Page) }

func answerForms() []string { return []string{answerText, answerJSON, answerYAML} }

// The forms of what a question is answered in.
const (
	answerText = "text"
	answerJSON = "json"
	answerYAML = "yaml"
)

// checkForm refuses what is no form of an answer.
func checkForm(output string) error {
	return checkWord("output", output, answerForms()...)
}

// answer prints an answer in a form.
func (p program) answer(a answer, form string) error {
	if form == answerText {
		page := terminal.PageFor(p.stdout, p.around.LookupEnv)
		a.Text(page)
		_, err := io.WriteString(p.stdout, page.String())
		return err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(a); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	text := terminal.JSON(b.Bytes())
	if form == answerYAML {
		var err error
		if text, err = asyaml.FromJSON(text); err != nil {
			return fmt.Errorf("writing the answer: %w", err)
		}
	}
	_, err := p.stdout.Write(text)
	return err
}
