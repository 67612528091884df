//! Whether it would take too long to make a tree of a stranger's HTML.
//!
//! Making one takes time in proportion to the square of its depth, of how many of its parts stand beside one another in
//! the wrong place, or of what is remembered to be opened anew: a hundred kilobytes can be made to last for minutes. So
//! the very same is done first with nodes that hold nothing, and each look at one is counted. What is counted is what
//! `ammonia` comes to, since that makes its tree by the same rules.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    rc::Rc,
};

use html5ever::{
    Attribute, ExpandedName, LocalName, QualName, local_name, ns,
    tendril::StrTendril,
    tokenizer::{Token, TokenSink, TokenSinkResult},
    tree_builder::{
        ElementFlags, NodeOrText, QuirksMode, Tracer, TreeBuilder, TreeBuilderOpts, TreeSink, create_element,
    },
};

use super::tags;

/// Elements that are open at once. Browsers make no deeper tree.
const MAX_OPEN: usize = 512;
/// In looks at one open element.
const MAX_WORK: usize = 1 << 26;
/// What it takes to make a node, in these.
const NODE: usize = 64;
/// And to give it an attribute, or to compare one.
const ATTRIBUTE: usize = 8;

/// Whether a tree of it would grow without measure.
pub fn takes_too_long(html: &str) -> bool {
    tags::read(Builder::default(), html, |builder| !builder.has_enough()).is_none()
}

/// Makes the tree as `ammonia` does: of what may stand in a `div`.
struct Builder(TreeBuilder<Handle, Counter>);

impl Default for Builder {
    fn default() -> Self {
        let counter = Counter::default();
        let div = create_element(&counter, QualName::new(None, ns!(html), local_name!("div")), Vec::new());
        Self(TreeBuilder::new_for_fragment(counter, div, None, TreeBuilderOpts::default()))
    }
}

impl Builder {
    fn has_enough(&self) -> bool {
        let open = Seen::default();
        self.0.trace_handles(&open);
        open.nodes.get() > MAX_OPEN || self.0.sink.work.get() > MAX_WORK
    }
}

impl TokenSink for Builder {
    type Handle = Handle;

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<Handle> {
        if let Token::TagToken(tag) = &token
            && FORMATS.contains(&&*tag.name)
        {
            // It is compared with those of its name that are remembered, attribute by attribute.
            let seen = Seen { name: Some(tag.name.clone()), ..Seen::default() };
            self.0.trace_handles(&seen);
            let attributes = seen.attributes.get() + seen.alike.get() * tag.attrs.len();
            self.0.sink.took(seen.nodes.get() + attributes * ATTRIBUTE);
        }
        self.0.process_token(token, line)
    }

    fn end(&self) {
        self.0.end();
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.0.adjusted_current_node_present_but_not_in_html_namespace()
    }
}

/// Those that are opened anew where another one's end has ended them (HTML Standard, section 13.2.4.3).
const FORMATS: [&str; 14] =
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];

/// What is open or remembered.
#[derive(Default)]
struct Seen {
    name: Option<LocalName>,
    nodes: Cell<usize>,
    /// Those that have this name.
    alike: Cell<usize>,
    /// Theirs.
    attributes: Cell<usize>,
}

impl Tracer for Seen {
    type Handle = Handle;

    fn trace_handle(&self, node: &Handle) {
        add(&self.nodes, 1);
        if self.name.as_ref() == Some(&node.name.local) {
            add(&self.alike, 1);
            add(&self.attributes, node.attributes.get());
        }
    }
}

fn add(to: &Cell<usize>, more: usize) {
    to.set(to.get().saturating_add(more));
}

type Handle = Rc<Node>;

/// How many children a node has; they know it, too.
type Children = Rc<Cell<usize>>;

/// What there is to know of a node, while it is open or remembered.
struct Node {
    name: QualName,
    attributes: Cell<usize>,
    is_integration_point: bool,
    /// What a template holds.
    content: Option<Handle>,
    children: RefCell<Children>,
    /// Those of its parent, if it has one.
    siblings: RefCell<Option<Children>>,
}

impl Node {
    fn new(name: QualName, attributes: usize) -> Self {
        Self {
            name,
            attributes: Cell::new(attributes),
            is_integration_point: false,
            content: None,
            children: RefCell::default(),
            siblings: RefCell::default(),
        }
    }

    /// One that is no element.
    fn plain() -> Self {
        Self::new(QualName::new(None, ns!(), LocalName::default()), 0)
    }
}

/// Counts what it takes to make the tree.
#[derive(Default)]
struct Counter {
    work: Cell<usize>,
}

impl Counter {
    fn took(&self, work: usize) {
        add(&self.work, work);
    }

    fn plain(&self) -> Handle {
        self.took(NODE);
        Rc::new(Node::plain())
    }

    /// One more of these children.
    fn add_to(&self, children: &Children, child: NodeOrText<Handle>) {
        self.took(1);
        add(children, 1);
        if let NodeOrText::AppendNode(node) = child {
            *node.siblings.borrow_mut() = Some(children.clone());
        }
    }
}

impl TreeSink for Counter {
    type Handle = Handle;
    type Output = ();
    type ElemName<'a> = ExpandedName<'a>;

    fn finish(self) {}

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> Handle {
        self.plain()
    }

    fn elem_name<'a>(&'a self, target: &'a Handle) -> ExpandedName<'a> {
        self.took(1);
        target.name.expanded()
    }

    fn create_element(&self, name: QualName, attrs: Vec<Attribute>, flags: ElementFlags) -> Handle {
        self.took(NODE + attrs.len() * ATTRIBUTE);
        Rc::new(Node {
            is_integration_point: flags.mathml_annotation_xml_integration_point,
            content: flags.template.then(|| Rc::new(Node::plain())),
            ..Node::new(name, attrs.len())
        })
    }

    fn create_comment(&self, _: StrTendril) -> Handle {
        self.plain()
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Handle {
        self.plain()
    }

    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        self.add_to(&parent.children.borrow(), child);
    }

    fn append_based_on_parent_node(&self, element: &Handle, before: &Handle, child: NodeOrText<Handle>) {
        let has_parent = element.siblings.borrow().is_some();
        if has_parent { self.append_before_sibling(element, child) } else { self.append(before, child) }
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}

    fn get_template_contents(&self, target: &Handle) -> Handle {
        target.content.as_ref().unwrap_or(target).clone()
    }

    fn same_node(&self, x: &Handle, y: &Handle) -> bool {
        self.took(1);
        Rc::ptr_eq(x, y)
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &Handle, new_node: NodeOrText<Handle>) {
        if let NodeOrText::AppendNode(node) = &new_node {
            self.remove_from_parent(node);
        }
        let siblings = sibling.siblings.borrow().clone();
        if let Some(siblings) = siblings {
            // It is looked for among them.
            self.took(siblings.get());
            self.add_to(&siblings, new_node);
        }
    }

    fn add_attrs_if_missing(&self, target: &Handle, attrs: Vec<Attribute>) {
        add(&target.attributes, attrs.len());
        // All that it has are looked at.
        self.took(target.attributes.get() * ATTRIBUTE);
    }

    fn remove_from_parent(&self, target: &Handle) {
        if let Some(siblings) = target.siblings.take() {
            self.took(siblings.get());
            siblings.set(siblings.get().saturating_sub(1));
        }
    }

    /// `new_parent` was just made, and has no children of its own.
    fn reparent_children(&self, node: &Handle, new_parent: &Handle) {
        let children = node.children.take();
        self.took(children.get());
        add(&children, new_parent.children.borrow().get());
        *new_parent.children.borrow_mut() = children;
    }

    fn is_mathml_annotation_xml_integration_point(&self, target: &Handle) -> bool {
        target.is_integration_point
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_without_end_is_told() {
        for part in [
            "<div>",
            "<DIV\n class='a>b'>",
            "<b>",
            "<div></b>",
            "<span><div></span></div>",
            "<span><p></span></p>",
            "<div><!-- > </div> -->",
            "<div><!-- --!></x><!-- </div> -->",
            "<div><style></div></style>",
            "<div><svg><style><!--</style></div>-->",
            "<div title=\"</div>\">",
            "<div a='x'b=\"</div>\">",
            "<div \"a>\">",
            "<table><tr><td>",
            "<div><table><td></div>",
            "<li><dd>",
            "<svg><image>",
            "<svg><td><b></td></svg>",
            "<ul><li>",
            "<div><?x </div>",
        ] {
            assert!(takes_too_long(&part.repeat(1_000)), "{part}");
        }
    }

    #[test]
    fn what_is_wide_or_opened_anew_without_end_is_told() {
        let many = |count: u32, tag: &dyn Fn(u32) -> String| (0..count).map(tag).collect::<String>();
        let attributes = many(60, &|n| format!(" a{n}"));
        for (what, html) in [
            // Within the style sheet of a drawing there are comments and tags.
            (
                "attributes",
                format!("<svg><style><!-- <a b=\" --> <p{}>", many(200_000, &|n| format!(" a{n}"))),
            ),
            ("put before a table", format!("<table>{}", "<br>".repeat(100_000))),
            ("attributes of the root", many(20_000, &|n| format!("<html a{n}>"))),
            (
                "opened anew",
                format!("<div>{}</div>{}", many(200, &|n| format!("<b a={n}>")), "<p>x</p>".repeat(20_000)),
            ),
            (
                "compared",
                format!("{}{}", many(100, &|n| format!("<b c={n}{attributes}>")), "<b></b>".repeat(20_000)),
            ),
        ] {
            assert!(takes_too_long(&html), "{what}");
        }
    }

    #[test]
    fn what_people_write_is_not() {
        for part in [
            "<p>",
            "<p>Hello<br><img src=x><hr>",
            "<li>one",
            "<div><p>one<p>two</div>",
            "<table><tr><td>a<td>b<tr><td><p>c</table>",
            "<table><tbody><tr><td><b>x</b></td></tr></tbody></table>",
            "<font size=1><p>x",
            "<b><i>x</b></i>",
            "<a name=x><a href=y>z</a>",
            "<div><center></div></center>",
            "<!-- <div> -->",
            "<![if !mso]><div></div><![endif]>",
            "<o:p></o:p><span lang=EN>x</span>",
            "<html><head></head><body>x</body></html>",
            "<h1>x</h1><ul><li>a</li><li>b</ul>",
            "a < b <3 </> <",
            "<p/><br/>",
        ] {
            assert!(!takes_too_long(&part.repeat(5_000)), "{part}");
        }
        let sheet = format!("<style><!-- {} --></style>", "p > a { color: red }".repeat(4_000));
        assert!(!takes_too_long(&sheet));
        assert!(!takes_too_long(&format!("{}{}", "<div>".repeat(400), "</div>".repeat(400))));
    }

    /// A hundred replies, each with the one before it in its quotation, and with tags that nobody closed.
    #[test]
    fn a_long_chain_of_replies_is_not() {
        let reply = "<div class=\"gmail_quote\"><div dir=\"ltr\" class=\"gmail_attr\">On Monday Ann wrote:<br></div>\
            <blockquote class=\"gmail_quote\" style=\"margin:0 0 0 .8ex;border-left:1px solid #ccc\"><div dir=\"ltr\">\
            <p>Hello,<p>see <font size=1><b><i>below</font></b></i>.<ul><li>one<li>two</ul>\
            <table><tr><td><p>Ann<td><span>Acme</table>";
        let end = "</div></blockquote></div>";
        let chain = format!("{}{}", reply.repeat(100), end.repeat(100));
        assert!(!takes_too_long(&chain));
        assert!(takes_too_long(&reply.repeat(1_000)));
    }
}
