/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/reader.h"

#include "base/mem.h"
#include "base/slice.h"
#include "config/schema.h"

#include <ini.h>
#include <stdio.h>

enum {
	SECTION_MAX = 49, /* inih keeps a section's name in 50 bytes */
	VALUE_MAX = 16384,
};

struct reading {
	struct reader_doc *doc;
	const struct reader_file *file;
	struct problems *problems;
	const char *at, *end;
	unsigned line;
	struct reader_section *section; /* NULL before the first and after a refused one */
	bool section_refused;
	bool key_refused;  /* inih has a stand-in in hand */
	bool is_key_line;  /* the line inih has in hand must lead to a call of on_key() */
	bool continues;    /* it is indented and inih will take it for more of the last value */
	bool has_previous; /* inih remembers a key that an indented line continues */
	bool has_entry;    /* and that key is the last entry of the section */
};

struct problem_place reader_place(const struct reader_file *file, unsigned line)
{
	return (struct problem_place){file->name, file->number, line};
}

static struct problem_place here(const struct reading *r)
{
	return reader_place(r->file, r->line);
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct slice trimmed(struct slice s)
{
	while (s.len > 0 && is_blank(s.at[0]))
		s = slice_of(s.at + 1, s.len - 1);
	while (s.len > 0 && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

/* The next line without its end. */
static struct slice take_line(struct reading *r)
{
	const char *lf = memchr(r->at, '\n', (size_t)(r->end - r->at));
	const char *stop = lf ? lf : r->end;
	struct slice line = slice_of(r->at, (size_t)(stop - r->at));
	r->at = lf ? lf + 1 : r->end;
	r->line++;
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* What is wrong with the bytes of a line; NULL: nothing. */
static const char *refuse_bytes(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '\r')
			return "a CR within a line: want lines that end with LF, or CR and LF";
		if ((s.at[i] < 0x20 && s.at[i] != '\t') || s.at[i] == 0x7f)
			return "control byte in a line";
	}
	return NULL;
}

static bool is_name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

static bool is_name(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_name_byte(s.at[i]))
			return false;
	return s.len > 0;
}

/* inih takes `key: value` too; then what is indented below is no key to is_lost_line(). */
static bool has_colon(struct slice body)
{
	size_t n = 0;
	while (n < body.len && is_name_byte(body.at[n]))
		n++;
	struct slice rest = trimmed(slice_of(body.at + n, body.len - n));
	return n > 0 && rest.len > 0 && rest.at[0] == ':';
}

static char *copied(struct slice s)
{
	char *out = mem_new(s.len + 1);
	if (s.len > 0)
		memcpy(out, s.at, s.len);
	return out;
}

static struct reader_section *add_section(struct reading *r, struct slice kind, struct slice name)
{
	struct reader_doc *d = r->doc;
	if (d->n == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 16;
		d->section = mem_resize(d->section, d->cap * sizeof(struct reader_section *));
	}
	struct reader_section *s = mem_new(sizeof *s);
	s->file = r->file;
	s->line = r->line;
	s->kind = copied(kind);
	s->name = copied(name);
	d->section[d->n++] = s;
	return s;
}

/* What stands between the brackets; false (and told) when the line is no sound
 * section header. */
static bool split_header(struct reading *r, struct slice line, struct slice *inside)
{
	const uint8_t *close = memchr(line.at, ']', line.len);
	if (!close) {
		problem_error(r->problems, here(r),
		        "a section begins but ']' is missing: want [kind name]");
		return false;
	}
	struct slice rest = trimmed(slice_of(close + 1, (size_t)(line.at + line.len - close - 1)));
	if (rest.len > 0 && rest.at[0] != ';' && rest.at[0] != '#') {
		problem_error(r->problems, here(r),
		        "text behind a section's ']': want it in a line of its own");
		return false;
	}
	*inside = trimmed(slice_of(line.at + 1, (size_t)(close - line.at - 1)));
	if (inside->len > SECTION_MAX) {
		problem_error(r->problems, here(r), "section name of %zu bytes: want at most %d",
		        inside->len, SECTION_MAX);
		return false;
	}
	return true;
}

static struct reader_section *header(struct reading *r, struct slice line)
{
	struct slice inside;
	const char *wrong = memchr(line.at, '\r', line.len) ? refuse_bytes(line) : NULL;
	if (wrong)
		problem_error(r->problems, here(r), "%s", wrong);
	if (wrong || !split_header(r, line, &inside))
		return NULL;
	size_t kind_len = 0;
	while (kind_len < inside.len && !is_blank(inside.at[kind_len]))
		kind_len++;
	struct slice kind = slice_of(inside.at, kind_len);
	struct slice name = trimmed(slice_of(inside.at + kind_len, inside.len - kind_len));
	if (is_name(kind) && (name.len == 0 || is_name(name)))
		return add_section(r, kind, name);
	problem_error(r->problems, here(r),
	        "want [kind name], the name of letters, digits, '_', '-' and '.'");
	return NULL;
}

/* inih gets a stand-in: all it has to know is that a section begins. */
static void begin_section(struct reading *r, struct slice line, char *out)
{
	r->section = header(r, line);
	r->section_refused = !r->section;
	r->doc->has_refused_section |= r->section_refused;
	r->has_previous = r->has_entry = false;
	memcpy(out, "[s]", 4);
}

/* An indented line below a key that was meant to stand alone. */
static bool is_lost_line(struct slice body)
{
	if (body.at[0] == '[')
		return body.at[body.len - 1] == ']';
	size_t n = 0;
	while (n < body.len && is_name_byte(body.at[n]))
		n++;
	struct slice rest = trimmed(slice_of(body.at + n, body.len - n));
	return rest.len > 0 && rest.at[0] == '=' && schema_is_key(slice_of(body.at, n));
}

/* Whether inih may see the line; told if not. */
static bool is_sound(struct reading *r, struct slice body, size_t size)
{
	const char *wrong = refuse_bytes(body);
	if (wrong)
		problem_error(r->problems, here(r), "%s", wrong);
	else if (body.len + 1 >= size) /* the 1 is an indent's */
		problem_error(r->problems, here(r),
		        "line of %zu bytes: want at most %zu; a longer value goes on in indented "
		        "lines",
		        body.len, size - 2);
	else if (r->continues && is_lost_line(body))
		problem_error(r->problems, here(r),
		        "an indented line continues the value above: want keys and sections at the "
		        "margin");
	else if (!r->continues && has_colon(body))
		problem_error(r->problems, here(r), "want 'key = value', with '=' and not ':'");
	else
		return true;
	return false;
}

/* A stand-in for a key that was refused, so that lines which continue it are
 * not taken for more of the key before. */
static void begin_refused(struct reading *r, char *out)
{
	r->key_refused = true;
	if (r->section)
		r->section->has_refused_line = true;
	memcpy(out, "x=", 3);
}

/* inih takes comments off behind a value, but not off a line that continues one. */
static struct slice without_comment(struct slice body)
{
	for (size_t i = 1; i < body.len; i++)
		if (body.at[i] == ';' && is_blank(body.at[i - 1]))
			return trimmed(slice_of(body.at, i));
	return body;
}

static void hand_over(struct reading *r, struct slice line, char *out, size_t size)
{
	struct slice body = trimmed(line);
	if (memchr(line.at, '\0', line.len)) {
		problem_error(r->problems, here(r), "NUL byte");
		return;
	}
	if (body.len == 0 || body.at[0] == ';' || body.at[0] == '#')
		return;
	r->continues = r->has_previous && is_blank(line.at[0]);
	if (body.at[0] == '[' && !r->continues) {
		begin_section(r, body, out);
		return;
	}
	if (!is_sound(r, body, size)) {
		if (!r->continues)
			begin_refused(r, out);
		return;
	}
	r->is_key_line = true;
	if (r->continues)
		body = without_comment(body);
	size_t indent = r->continues ? 1 : 0;
	out[0] = ' ';
	memcpy(out + indent, body.at, body.len);
	out[indent + body.len] = '\0';
}

static void check_last_line(struct reading *r)
{
	if (!r->is_key_line)
		return;
	problem_error(r->problems, here(r), "want 'key = value', [section] or a comment");
	if (r->section)
		r->section->has_refused_line = true;
	r->is_key_line = false;
}

/* An ini_reader: inih sees each line whole, and lines that it must not see as
 * empty ones. */
static char *next_line(char *out, int size, void *arg)
{
	struct reading *r = arg;
	check_last_line(r);
	if (r->at == r->end)
		return NULL;
	out[0] = '\0';
	struct slice line = take_line(r);
	if (line.len > 0)
		hand_over(r, line, out, (size_t)size);
	return out;
}

static void add_entry(struct reader_section *s, unsigned line, const char *key, const char *value)
{
	if (s->entry_n == s->entry_cap) {
		s->entry_cap = s->entry_cap ? 2 * s->entry_cap : 8;
		s->entry = mem_resize(s->entry, s->entry_cap * sizeof s->entry[0]);
	}
	s->entry[s->entry_n++] = (struct reader_entry){
	        .line = line, .key = mem_strdup(key), .value = mem_strdup(value)};
}

static void continue_value(struct reading *r, const char *more)
{
	struct reader_entry *e = &r->section->entry[r->section->entry_n - 1];
	size_t len = strlen(e->value), more_len = strlen(more);
	if (more_len == 0)
		return;
	if (len + more_len >= VALUE_MAX) {
		problem_error(r->problems, here(r), "value of more than %d bytes", VALUE_MAX);
		r->has_entry = false;
		return;
	}
	size_t gap = len > 0 ? 1 : 0;
	e->value = mem_resize(e->value, len + gap + more_len + 1);
	if (gap)
		e->value[len] = ' ';
	memcpy(e->value + len + gap, more, more_len + 1);
}

static void take_key(struct reading *r, const char *key, const char *value)
{
	if (!r->section) {
		if (!r->section_refused)
			problem_error(r->problems, here(r), "a key before the first [section]");
	} else if (!is_name(slice_str(key))) {
		problem_error(
		        r->problems, here(r), "want 'key = value', the key of letters and '_'");
		r->section->has_refused_line = true;
	} else {
		add_entry(r->section, r->line, key, value);
		r->has_entry = true;
	}
}

/* An ini_handler. */
static int on_key(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *r = arg;
	(void)section;
	r->is_key_line = false;
	if (r->continues) {
		if (r->has_entry)
			continue_value(r, value);
		return 1;
	}
	r->has_entry = false;
	r->has_previous = key[0] != '\0';
	if (!r->key_refused)
		take_key(r, key, value);
	r->key_refused = false;
	return 1;
}

void reader_read(struct reader_doc *doc, const struct reader_file *file, const char *text,
        size_t len, struct problems *problems)
{
	struct reading r = {
	        .doc = doc, .file = file, .problems = problems, .at = text, .end = text + len};
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		r.at += 3;
	if (len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
		problem_error(problems, reader_place(file, 1), "this is UTF-16: want UTF-8");
		doc->has_refused_section = true;
		return;
	}
	/* Its return value is the first line it did not understand: told already. */
	ini_parse_stream(next_line, &r, on_key, &r);
}

void reader_doc_fini(struct reader_doc *doc)
{
	for (size_t i = 0; i < doc->n; i++) {
		struct reader_section *s = doc->section[i];
		for (size_t k = 0; k < s->entry_n; k++) {
			mem_free(s->entry[k].key);
			mem_free(s->entry[k].value);
		}
		mem_free(s->entry);
		mem_free(s->kind);
		mem_free(s->name);
		mem_free(s);
	}
	mem_free(doc->section);
	*doc = (struct reader_doc){.n = 0};
}

const struct reader_entry *reader_find(const struct reader_section *s, const char *key)
{
	for (size_t i = 0; i < s->entry_n; i++)
		if (strcmp(s->entry[i].key, key) == 0)
			return &s->entry[i];
	return NULL;
}
