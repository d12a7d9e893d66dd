// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/*
 * Whether a page is what report/html.h promises: elements that it uses itself, each with its end, attributes in
 * quotes, links that stay in the page, nothing that is loaded, no script. For fuzzing, too: no cmocka here.
 */

#define MARKUP_DEPTH 64

struct markup_check {
	const char *at;
	const char *problem; /* NULL: none so far */
	size_t depth;
	char open[MARKUP_DEPTH][16];
};

static inline bool markup_known(const char *name)
{
	static const char *const names[] = {"a", "article", "b", "body", "br", "caption", "circle",
		"code", "dd", "desc", "div", "dl", "dt", "figcaption", "figure", "footer", "g",
		"h1", "h2", "h3", "head", "header", "html", "input", "label", "li", "main", "meta",
		"nav", "p", "path", "rect", "section", "span", "style", "svg", "table", "tbody",
		"td", "text", "th", "thead", "title", "tr", "ul"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static inline void markup_fail(struct markup_check *c, const char *problem)
{
	if (!c->problem)
		c->problem = problem;
}

/* "name" at the place, up to 15 characters. */
static inline void markup_name(struct markup_check *c, char *name)
{
	size_t length = strspn(c->at, "abcdefghijklmnopqrstuvwxyz0123456789");

	snprintf(name, 16, "%.*s", (int)(length > 15 ? 15 : length), c->at);
	if (!markup_known(name))
		markup_fail(c, "an unknown element");
	c->at += length;
}

static inline void markup_attribute(struct markup_check *c)
{
	size_t name = strcspn(c->at, "=\" <>/"), value;
	const char *attribute = c->at;

	if (!name || strncmp(attribute + name, "=\"", 2) != 0) {
		markup_fail(c, "an attribute without quotes");
		return;
	}
	c->at += name + 2;
	value = strcspn(c->at, "\"<>");
	if (c->at[value] != '"')
		markup_fail(c, "an attribute that does not end");
	if (name == 4 && !strncmp(attribute, "href", 4) && *c->at != '#')
		markup_fail(c, "a link out of the page");
	if (!strncmp(attribute, "on", 2) || !strncmp(attribute, "src", 3) ||
		!strncmp(attribute, "style", 5) || !strncmp(attribute, "xlink", 5))
		markup_fail(c, "an attribute that must not be there");
	c->at += value + (c->at[value] == '"');
}

static inline void markup_close(struct markup_check *c)
{
	char name[16];

	c->at += 2;
	markup_name(c, name);
	if (!c->depth || strcmp(c->open[c->depth - 1], name) != 0)
		markup_fail(c, "an end without its begin");
	else
		c->depth--;
	if (*c->at++ != '>')
		markup_fail(c, "an end that does not end");
}

static inline void markup_open(struct markup_check *c)
{
	char name[16];

	c->at++;
	markup_name(c, name);
	while (!c->problem && *c->at == ' ') {
		c->at++;
		markup_attribute(c);
	}
	if (!strncmp(c->at, "/>", 2)) {
		c->at += 2;
		return;
	}
	if (*c->at++ != '>')
		markup_fail(c, "a begin that does not end");
	if (c->depth == MARKUP_DEPTH)
		markup_fail(c, "nested too deep");
	else
		snprintf(c->open[c->depth++], 16, "%s", name);
	if (!strcmp(name, "style") && !c->problem) /* of CSS, which is no markup */
		c->at += strcspn(c->at, "<");
}

static inline void markup_between(struct markup_check *c)
{
	static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
	bool known = *c->at != '&';

	for (size_t i = 0; i < sizeof(entities) / sizeof(*entities); i++)
		known = known || !strncmp(c->at, entities[i], strlen(entities[i]));
	if (!known)
		markup_fail(c, "an & that is none of our entities");
	if (*c->at == '>' || ((unsigned char)*c->at < ' ' && *c->at != '\n') || *c->at == 0x7f)
		markup_fail(c, "a character that is not escaped");
	c->at++;
}

/* NULL, or what is wrong with it. */
static inline const char *markup_problem(const char *html)
{
	static const char head[] = "<!DOCTYPE html>\n";
	struct markup_check c = {.at = html};

	if (strncmp(html, head, strlen(head)) != 0)
		return "no document type";
	for (c.at += strlen(head); *c.at && !c.problem;) {
		if (!strncmp(c.at, "</", 2))
			markup_close(&c);
		else if (*c.at == '<')
			markup_open(&c);
		else
			markup_between(&c);
	}
	if (c.depth)
		markup_fail(&c, "an element without end");
	return c.problem;
}
