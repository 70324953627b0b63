/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"
#include "config/schema.h"

static void print_title(FILE *out, const struct schema_section *s)
{
	fprintf(out, "[%s%s]", s->name, s->is_named ? " NAME" : "");
}

/* What there is to say beside form and meaning: `required; may be repeated`. */
static void print_notes(
        FILE *out, const struct schema_key *k, const char *before, const char *after)
{
	const char *gap = before;
	if (k->initial) {
		fprintf(out, "%sdefault %s", gap, k->initial);
		gap = "; ";
	}
	if (k->flags & KEY_REQUIRED) {
		fprintf(out, "%srequired", gap);
		gap = "; ";
	}
	if (k->flags & KEY_REPEAT) {
		fprintf(out, "%smay be repeated", gap);
		gap = "; ";
	}
	if (!(k->flags & KEY_RELOAD)) {
		fprintf(out, "%sfixed at the start", gap);
		gap = "; ";
	}
	if (gap != before)
		fputs(after, out);
}

static void print_key(FILE *out, const struct schema_key *k)
{
	char form[SCHEMA_FORM_MAX];
	fprintf(out, "  %s = %s\n      %s", k->name, schema_form(k, form), k->help);
	print_notes(out, k, " (", ")");
	fputc('\n', out);
}

static void print_defaults(FILE *out)
{
	unsigned n = 0;
	fputs("  these keys of a route:", out);
	for (size_t k = 0; k < schema_key_n; k++)
		if (schema_key[k].flags & KEY_DEFAULTS)
			fprintf(out, "%s%s", n++ % 6 == 0 ? "\n      " : " ", schema_key[k].name);
	fputc('\n', out);
}

void config_help(FILE *out)
{
	for (size_t i = 0; i < KIND_N; i++) {
		const struct schema_section *s = &schema_section[i];
		if (i > 0)
			fputc('\n', out);
		print_title(out, s);
		fprintf(out, "  %s\n", s->help);
		for (size_t k = 0; k < schema_key_n; k++)
			if (schema_key[k].kind == i)
				print_key(out, &schema_key[k]);
		if (i == KIND_DEFAULTS)
			print_defaults(out);
	}
}

/* Text that roff would read as a request or an escape. */
static void roff_text(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
	}
}

static void roff_key(FILE *out, const struct schema_key *k)
{
	char form[SCHEMA_FORM_MAX];
	fprintf(out, ".TP\n.BR %s \" = ", k->name);
	roff_text(out, schema_form(k, form));
	fputs("\"\n", out);
	roff_text(out, k->help);
	print_notes(out, k, "\n(", ")");
	fputc('\n', out);
}

static void roff_defaults(FILE *out)
{
	const char *gap = "";
	fputs("It may hold these keys of a route:\n", out);
	for (size_t k = 0; k < schema_key_n; k++) {
		if (!(schema_key[k].flags & KEY_DEFAULTS))
			continue;
		fprintf(out, "%s.BR %s", gap, schema_key[k].name);
		gap = " ,\n";
	}
	fputs(" .\n", out);
}

void config_help_roff(FILE *out)
{
	for (size_t i = 0; i < KIND_N; i++) {
		const struct schema_section *s = &schema_section[i];
		fputs(".SS ", out);
		print_title(out, s);
		fputc('\n', out);
		roff_text(out, s->help);
		fputs(i == KIND_DEFAULTS ? ".\n" : "\n", out);
		for (size_t k = 0; k < schema_key_n; k++)
			if (schema_key[k].kind == i)
				roff_key(out, &schema_key[k]);
		if (i == KIND_DEFAULTS)
			roff_defaults(out);
	}
}
