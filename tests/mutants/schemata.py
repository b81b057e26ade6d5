"""All mechanical mutants of a C file in one text: MUTANT=n in the environment chooses at run time which one lives.

So a single build tries hundreds of mutants. Each is an expression around the original one:

    negate X    (MUTANT_IS(n) != !!(X))
    delete X    (MUTANT_IS(n) ? (void)0 : (void)(X))      a statement
                (MUTANT_IS(n) ? (what is left) : (X))     an assignment or increment inside an expression

Reads the file through clang's parser. assert() is left alone: it is a check, not something to check.
"""

import glob

import clang.cindex
from clang.cindex import CursorKind as Kind

PREAMBLE = """#include <stdlib.h>
static int mutant_chosen;
__attribute__((constructor)) static void choose_mutant(void) {
    const char *text = getenv("MUTANT");
    mutant_chosen = text != NULL ? atoi(text) : 0;
}
#define MUTANT_IS(n) __builtin_expect(mutant_chosen == (n), 0)
"""
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
STATEMENT_PARENTS = (Kind.COMPOUND_STMT, Kind.IF_STMT, Kind.FOR_STMT, Kind.WHILE_STMT, Kind.DO_STMT, Kind.CASE_STMT)
STATEMENT_PARENTS += (Kind.DEFAULT_STMT, Kind.LABEL_STMT)
WRAPPERS = (Kind.PAREN_EXPR, Kind.UNEXPOSED_EXPR, Kind.CSTYLE_CAST_EXPR)


class Mutant:
    """One change: where it is, what it says there, and how the text around it becomes a choice."""

    def __init__(self, file, function, verb, text, span, template):
        self.file, self.function, self.verb, self.text, self.span = file, function, verb, text, span
        self.template = template
        self.number = 0
        self.again = 1  # the how manieth of the same text in its function

    @property
    def key(self):
        again = f" #{self.again}" if self.again > 1 else ""
        return f"{self.file} {self.function}: {self.verb} `{' '.join(self.text.split())}`{again}"


class Reader:
    """Finds the mutants of one file."""

    def __init__(self, root, file):
        self.file = file
        self.path = str(root / file)
        self.source = (root / file).read_bytes()
        self.mutants = []
        self.seen = set()
        self.function = ""
        arguments = ["-std=gnu11", "-D_GNU_SOURCE", f"-I{root / 'lib'}", *system_includes()]
        unit = clang.cindex.Index.create().parse(self.path, arguments)
        errors = [d for d in unit.diagnostics if d.severity >= clang.cindex.Diagnostic.Error]
        if errors:
            raise SystemExit(f"mutants: clang can't parse {file}: {errors[0]}")
        self.asserts = self.find_asserts(unit)
        for cursor in unit.cursor.get_children():
            inside = cursor.location.file is not None and cursor.location.file.name == self.path
            if cursor.kind == Kind.FUNCTION_DECL and cursor.is_definition() and inside:
                self.function = cursor.spelling
                self.walk(cursor, False)

    def find_asserts(self, unit):
        spans, tokens = [], list(unit.get_tokens(extent=unit.cursor.extent))
        for i, token in enumerate(tokens):
            if token.spelling != "assert" or tokens[i + 1].spelling != "(":
                continue
            depth, end = 0, i + 1
            while True:
                depth += {"(": 1, ")": -1}.get(tokens[end].spelling, 0)
                if depth == 0:
                    break
                end += 1
            spans.append((token.extent.start.offset, tokens[end].extent.end.offset))
        return spans

    def span(self, cursor):
        return cursor.extent.start.offset, cursor.extent.end.offset

    def text(self, cursor):
        start, end = self.span(cursor)
        return self.source[start:end].decode()

    def operator(self, cursor):
        """A binary operator's sign: the token between its operands."""
        left, right = list(cursor.get_children())
        return self.source[self.span(left)[1] : self.span(right)[0]].decode().strip().strip("()").strip()

    def unary(self, cursor):
        """A unary operator's sign: what stands before or behind its operand."""
        (start, end), (inner_start, inner_end) = self.span(cursor), self.span(next(cursor.get_children()))
        return (self.source[start:inner_start] + self.source[inner_end:end]).decode().strip()

    def is_sign(self, cursor, signs):
        return cursor.kind == Kind.BINARY_OPERATOR and self.operator(cursor) in signs

    def add(self, verb, cursor, template):
        span = self.span(cursor)
        if (verb, span) in self.seen or any(a <= span[0] and span[1] <= b for a, b in self.asserts):
            return
        self.seen.add((verb, span))
        self.mutants.append(Mutant(self.file, self.function, verb, self.text(cursor), span, template))

    def negate(self, cursor):
        self.add("negate", cursor, "(MUTANT_IS({n}) != !!({x}))")

    def delete(self, cursor, is_statement):
        inner = cursor
        while inner.kind in WRAPPERS:
            inner = list(inner.get_children())[-1]
        assigns = self.is_sign(inner, ("=",)) or inner.kind == Kind.COMPOUND_ASSIGNMENT_OPERATOR
        steps = inner.kind == Kind.UNARY_OPERATOR and self.unary(inner) in ("++", "--")
        if is_statement:
            if assigns or steps or inner.kind == Kind.CALL_EXPR:
                self.add("delete", cursor, "(MUTANT_IS({n}) ? (void)0 : (void)({x}))")
        elif inner is cursor and (assigns or steps):
            children = list(inner.get_children())
            left = self.text(children[-1] if self.is_sign(inner, ("=",)) else children[0])
            self.add(
                "delete", cursor, "(MUTANT_IS({n}) ? (" + left.replace("{", "{{").replace("}", "}}") + ") : ({x}))"
            )

    def for_condition(self, cursor):
        """Which child of a for loop is its condition; the parts that are left out are none. None: it has none."""
        parts, depth = [""], 0
        for character in self.text(cursor).split("(", 1)[1]:
            depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(character, 0)
            if depth < 0:
                break
            parts[-1] += character
            if character == ";" and depth == 0:
                parts.append("")
        has_first, has_condition = (part.strip(" ;\n") != "" for part in parts[:2])
        return int(has_first) if has_condition else None

    def condition(self, cursor):
        """Which child is the condition; None: there is none."""
        if cursor.kind == Kind.FOR_STMT:
            return self.for_condition(cursor)
        places = {Kind.IF_STMT: 0, Kind.WHILE_STMT: 0, Kind.DO_STMT: 1, Kind.CONDITIONAL_OPERATOR: 0}
        return places.get(cursor.kind)

    def walk(self, cursor, is_statement):
        children = list(cursor.get_children())
        condition = self.condition(cursor)
        if condition is not None:
            self.negate(children[condition])
        if self.is_sign(cursor, ("&&", "||")):
            for child in children:
                self.negate(child)
        if self.is_sign(cursor, COMPARISONS):
            self.negate(cursor)
        if cursor.kind.is_expression():
            self.delete(cursor, is_statement)
        for i, child in enumerate(children):
            self.walk(child, cursor.kind in STATEMENT_PARENTS and i != condition)


def system_includes():
    """clang's own headers, which the library alone doesn't know."""
    return [f"-isystem{path}" for path in glob.glob("/usr/lib/gcc/*/*/include")]


def find(root, files):
    """All mutants of files, numbered from 1 on."""
    mutants = []
    for file in files:
        found = sorted(Reader(root, file).mutants, key=lambda m: (m.span[0], -m.span[1], m.verb))
        keys = {}
        for mutant in found:
            keys[mutant.key] = mutant.again = keys.get(mutant.key, 0) + 1
        mutants += found
    for number, mutant in enumerate(mutants, 1):
        mutant.number = number
    return mutants


def rewrite(source, mutants):
    """source (bytes) with all of its mutants in it."""
    ordered = sorted(mutants, key=lambda m: (m.span[0], -m.span[1], m.verb == "negate"))

    def render(start, end, index):
        """The text from start to end with the mutants from index on that lie in it; and the next index."""
        out, at = "", start
        while index < len(ordered) and ordered[index].span[0] < end:
            mutant = ordered[index]
            inner, next_index = render(*mutant.span, index + 1)
            out += source[at : mutant.span[0]].decode() + mutant.template.format(n=mutant.number, x=inner)
            at, index = mutant.span[1], next_index
        return out + source[at:end].decode(), index

    text, used = render(0, len(source), 0)
    assert used == len(ordered)
    return (PREAMBLE + text).encode()
