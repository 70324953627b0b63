/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/regex.h"

#include "base/mem.h"
#include "lua/regex_words.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
	HEAP_LIMIT_KIB = 32 << 10, /* of one match without JIT */
	KEPT_HEAP = 256 << 10,     /* more than that is not kept for the next match */
	DFA_DEPTH_LIMIT = 200,     /* nested groups that analysis side by side looks into */
	DFA_WORKSPACE = 1000,
	JIT_STACK_START = 32 << 10,
	JIT_STACK_MAX = 512 << 10,
	SPANS_AT_FIRST = 16,
};

struct regex_engine {
	pcre2_general_context *memory;
	pcre2_match_context *limits, *dfa_limits;
	pcre2_match_data *result;
	uint32_t result_pairs;
	pcre2_jit_stack *stack; /* made for the first match that wants it */
	size_t stack_max;
	size_t result_heap; /* bytes in use for matching */
	int *workspace;     /* of analysis side by side, NULL until it is wanted */
};

/* ---- memory: what PCRE allocates through an engine's match data is counted ---- */

struct block {
	_Alignas(16) size_t size;
};

static void *take(size_t size, void *counted)
{
	struct block *b = size <= SIZE_MAX / 2 ? mem_try(sizeof(*b) + size) : NULL;

	if (!b)
		return NULL;
	b->size = size;
	*(size_t *)counted += size;
	return b + 1;
}

static void give_back(void *p, void *counted)
{
	if (!p)
		return;
	struct block *b = (struct block *)p - 1;
	*(size_t *)counted -= b->size;
	mem_free(b);
}

/* Compiled patterns may outlive the engine: their memory is counted nowhere but in the budget. */
static void *code_take(size_t size, void *unused)
{
	(void)unused;
	return mem_try(size);
}

static void code_give_back(void *p, void *unused)
{
	(void)unused;
	mem_free(p);
}

/* ---- the engine ---- */

static bool reserve_result(struct regex_engine *e, uint32_t pairs)
{
	if (e->result && e->result_pairs >= pairs)
		return true;
	pcre2_match_data_free(e->result);
	e->result_pairs = pairs > SPANS_AT_FIRST ? pairs : SPANS_AT_FIRST;
	e->result = pcre2_match_data_create(e->result_pairs, e->memory);
	return e->result;
}

void regex_engine_set_match_limit(struct regex_engine *e, uint32_t limit)
{
	enum { DEFAULT_LIMIT = 10000000 };

	pcre2_set_match_limit(e->limits, limit ? limit : DEFAULT_LIMIT);
	pcre2_set_match_limit(e->dfa_limits, limit ? limit : DEFAULT_LIMIT);
}

struct regex_engine *regex_engine_new(void)
{
	struct regex_engine *e = mem_try(sizeof(*e));

	if (!e)
		return NULL;
	*e = (struct regex_engine){.stack_max = JIT_STACK_MAX};
	e->memory = pcre2_general_context_create(take, give_back, &e->result_heap);
	e->limits = e->memory ? pcre2_match_context_create(e->memory) : NULL;
	e->dfa_limits = e->limits ? pcre2_match_context_create(e->memory) : NULL;
	if (!e->dfa_limits) {
		regex_engine_free(e);
		return NULL;
	}
	pcre2_set_heap_limit(e->limits, HEAP_LIMIT_KIB);
	pcre2_set_heap_limit(e->dfa_limits, HEAP_LIMIT_KIB);
	pcre2_set_depth_limit(e->dfa_limits, DFA_DEPTH_LIMIT);
	regex_engine_set_match_limit(e, 0);
	return e;
}

void regex_engine_free(struct regex_engine *e)
{
	if (!e)
		return;
	pcre2_match_data_free(e->result);
	pcre2_jit_stack_free(e->stack);
	pcre2_match_context_free(e->dfa_limits);
	pcre2_match_context_free(e->limits);
	pcre2_general_context_free(e->memory);
	mem_free(e->workspace);
	mem_free(e);
}

bool regex_engine_set_jit_stack(struct regex_engine *e, size_t size)
{
	enum { LEAST = 8 << 10, MOST = 64 << 20 };

	if (size > MOST)
		return false;
	size_t most = size > LEAST ? size : LEAST;
	pcre2_jit_stack *stack =
	        pcre2_jit_stack_create(most < JIT_STACK_START ? most : JIT_STACK_START, most, NULL);
	if (!stack)
		return false;
	pcre2_jit_stack_free(e->stack);
	e->stack = stack;
	pcre2_jit_stack_assign(e->limits, NULL, e->stack);
	return true;
}

/* ---- compiling ---- */

int regex_options(struct slice text, uint8_t *bad)
{
	static const char letters[] = "odjDimsxauUJ"; /* in the order of the bits */
	unsigned options = 0;

	for (size_t i = 0; i < text.len; i++) {
		const char *letter = text.at[i] ? strchr(letters, text.at[i]) : NULL;
		if (!letter) {
			*bad = text.at[i];
			return -1;
		}
		options |= 1U << (letter - letters);
	}
	return (int)options;
}

static uint32_t pcre_options(unsigned options)
{
	static const struct {
		unsigned ours;
		uint32_t theirs;
	} rows[] = {
	        {REGEX_DUP_NAMES, PCRE2_DUPNAMES},
	        {REGEX_CASELESS, PCRE2_CASELESS},
	        {REGEX_MULTILINE, PCRE2_MULTILINE},
	        {REGEX_DOT_ALL, PCRE2_DOTALL},
	        {REGEX_EXTENDED, PCRE2_EXTENDED},
	        {REGEX_ANCHORED, PCRE2_ANCHORED},
	        {REGEX_UTF | REGEX_UTF_ANY, PCRE2_UTF},
	        {REGEX_JS, PCRE2_ALT_BSUX | PCRE2_MATCH_UNSET_BACKREF | PCRE2_ALLOW_EMPTY_CLASS},
	};
	uint32_t out = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		out |= options & rows[i].ours ? rows[i].theirs : 0;
	/* Analysis side by side knows no such mode: there broken UTF-8 is an error. */
	if (options & REGEX_UTF_ANY && !(options & REGEX_DFA))
		out |= PCRE2_MATCH_INVALID_UTF;
	return out;
}

/* Appends as much as fits before the NUL. */
static void say(char error[REGEX_ERROR_MAX], struct slice s)
{
	size_t len = strlen(error), left = REGEX_ERROR_MAX - 1 - len;
	size_t n = s.len < left ? s.len : left;

	memcpy(error + len, s.at, n);
	error[len + n] = '\0';
}

/* `... in "pattern" at "its rest"`, cut where ngx_lua cuts it. */
static void say_error(char error[REGEX_ERROR_MAX], struct slice pattern, int code, size_t at)
{
	char text[REGEX_ERROR_MAX] = "";
	const char *words = regex_compile_words(code, pattern, &at);

	if (!words)
		pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof(text));
	error[0] = '\0';
	say(error, SLICE("pcre_compile() failed: "));
	say(error, slice_str(words ? words : text));
	say(error, SLICE(" in \""));
	say(error, pattern);
	if (at < pattern.len) {
		say(error, SLICE("\" at \""));
		say(error, slice_of(pattern.at + at, pattern.len - at));
	}
	say(error, SLICE("\""));
}

static void read_facts(struct regex *re)
{
	pcre2_pattern_info(re->code, PCRE2_INFO_NAMECOUNT, &re->name_count);
	pcre2_pattern_info(re->code, PCRE2_INFO_NAMEENTRYSIZE, &re->name_size);
	pcre2_pattern_info(re->code, PCRE2_INFO_NAMETABLE, &re->names);
	if (re->options & REGEX_DFA)
		re->captures = 0;
	else
		pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &re->captures);
}

bool regex_compile(
        struct regex *re, struct slice pattern, unsigned options, char error[REGEX_ERROR_MAX])
{
	int code = PCRE2_ERROR_NOMEMORY;
	PCRE2_SIZE at = 0;
	pcre2_general_context *memory =
	        pcre2_general_context_create(code_take, code_give_back, NULL);
	pcre2_compile_context *how = memory ? pcre2_compile_context_create(memory) : NULL;

	*re = (struct regex){.options = options};
	if (how) {
		re->code = pcre2_compile(
		        pattern.at, pattern.len, pcre_options(options), &code, &at, how);
	}
	pcre2_compile_context_free(how);
	pcre2_general_context_free(memory);
	if (!re->code) {
		say_error(error, pattern, how ? code : 121, at);
		return false;
	}
	/* Without executable memory it is matched without JIT. */
	if (options & REGEX_JIT && !(options & REGEX_DFA))
		pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE);
	read_facts(re);
	return true;
}

void regex_fini(struct regex *re)
{
	pcre2_code_free(re->code);
	re->code = NULL;
	re->name_count = 0; /* the names were the code's */
}

/* ---- matching ---- */

static int exec_dfa(
        struct regex_engine *e, const struct regex *re, struct slice s, size_t from, uint32_t flags)
{
	if (!e->workspace)
		e->workspace = mem_try(DFA_WORKSPACE * sizeof(int));
	if (!e->workspace)
		return PCRE2_ERROR_NOMEMORY;
	return pcre2_dfa_match(re->code, s.at, s.len, from, flags, e->result, e->dfa_limits,
	        e->workspace, DFA_WORKSPACE);
}

static int exec(
        struct regex_engine *e, const struct regex *re, struct slice s, size_t from, uint32_t flags)
{
	if (re->options & REGEX_DFA)
		return exec_dfa(e, re, s, from, flags);
	if (re->options & REGEX_JIT && !e->stack)
		regex_engine_set_jit_stack(e, e->stack_max);
	int rc = pcre2_match(re->code, s.at, s.len, from, flags, e->result, e->limits);
	/* The heap may hold what the JIT's stack could not. */
	if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
		rc = pcre2_match(
		        re->code, s.at, s.len, from, flags | PCRE2_NO_JIT, e->result, e->limits);
	return rc;
}

static bool starts_character(struct slice s, size_t at)
{
	return at >= s.len || (s.at[at] & 0xc0) != 0x80;
}

static void copy_spans(struct regex_engine *e, const struct regex *re, size_t *spans)
{
	const PCRE2_SIZE *found = pcre2_get_ovector_pointer(e->result);

	for (uint32_t i = 0; i < 2 * (re->captures + 1); i++)
		spans[i] = found[i] == PCRE2_UNSET ? REGEX_UNSET : found[i];
	/* \K may put the beginning behind the end. */
	if (spans[0] > spans[1])
		spans[0] = spans[1];
}

int regex_exec(struct regex_engine *e, const struct regex *re, struct slice subject, size_t from,
        bool again, size_t *spans)
{
	if (!reserve_result(e, re->captures + 1))
		return REGEX_NO_MEMORY;
	/* \C may end a match inside a character: then all is checked once more. */
	bool checked = again && re->options & REGEX_UTF && starts_character(subject, from);
	int rc = exec(e, re, subject, from, checked ? PCRE2_NO_UTF_CHECK : 0);
	if (rc >= 0)
		copy_spans(e, re, spans);
	if (e->result_heap > KEPT_HEAP) {
		pcre2_match_data_free(e->result);
		e->result = NULL;
	}
	return rc >= 0 ? 0 : regex_exec_code(rc);
}

size_t regex_next(const struct regex *re, struct slice subject, const size_t *spans)
{
	size_t at = spans[1];

	if (spans[0] != spans[1])
		return at;
	at++;
	if (re->options & (REGEX_UTF | REGEX_UTF_ANY)) {
		while (at < subject.len && !starts_character(subject, at))
			at++;
	}
	return at;
}
