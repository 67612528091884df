//! The tree that a browser makes of a stranger's HTML, where that does not take too long.
//!
//! Making one takes time in proportion to the square of its depth, of how many of its parts stand beside one another in
//! the wrong place, or of what is remembered to be opened anew: a hundred kilobytes can be made to last for minutes. So
//! each look at a node is counted. What is counted is what `ammonia` comes to, too, since that makes its tree by the same
//! rules.

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

use super::{
    cited,
    nodes::{Kind, NodeId, Tree},
    tags,
};

/// Elements that are open at once. Browsers make no deeper tree.
const MAX_OPEN: usize = 512;
/// In looks at one open element.
const MAX_WORK: usize = 1 << 26;
/// What it takes to make a node, in these.
const NODE: usize = 64;
/// And to give it an attribute, or to compare one.
const ATTRIBUTE: usize = 8;

/// Whether scripts are run where it is read: what stands in a `noscript` is text alone for who runs them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    Run,
    Off,
}

/// What was done to read HTML so far, be it one piece or several of one message.
#[derive(Default)]
pub struct Taken {
    /// Attributes' names.
    compared: usize,
    /// As `MAX_WORK` counts it.
    work: usize,
}

/// Whether a tree of it would grow without measure: as `ammonia` makes it, which reads as if scripts were run.
pub fn takes_too_long(html: &str) -> bool {
    of(html, Scripts::Run, &mut Taken::default()).is_none()
}

/// The tree of what may stand in a `div`. None where it would grow without measure, with what was taken before:
/// whatever comes behind that is not to be read either.
pub fn of(html: &str, scripts: Scripts, taken: &mut Taken) -> Option<Tree> {
    let builder = Builder::new(scripts, taken.work);
    let builder = tags::read(builder, html, &mut taken.compared, |builder| !builder.has_enough())?;
    let counter = builder.0.sink;
    taken.work = counter.work.get();
    Some(counter.tree.into_inner())
}

struct Builder(TreeBuilder<Handle, Counter>);

impl Builder {
    fn new(scripts: Scripts, work: usize) -> Self {
        let counter = Counter { work: Cell::new(work), tree: RefCell::default() };
        let div = create_element(&counter, QualName::new(None, ns!(html), local_name!("div")), Vec::new());
        let options =
            TreeBuilderOpts { scripting_enabled: scripts == Scripts::Run, ..TreeBuilderOpts::default() };
        Self(TreeBuilder::new_for_fragment(counter, div, None, options))
    }

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

/// What there is to know of a node, while it is open or remembered.
struct Node {
    /// In the tree.
    id: NodeId,
    name: QualName,
    attributes: Cell<usize>,
    is_integration_point: bool,
    /// What a template holds.
    content: Option<Handle>,
}

impl Node {
    fn new(id: NodeId, name: QualName, attributes: usize) -> Self {
        Self { id, name, attributes: Cell::new(attributes), is_integration_point: false, content: None }
    }

    /// One that is no element.
    fn plain(id: NodeId) -> Self {
        Self::new(id, QualName::new(None, ns!(), LocalName::default()), 0)
    }
}

/// Makes the tree, and counts what that takes.
struct Counter {
    work: Cell<usize>,
    tree: RefCell<Tree>,
}

impl Counter {
    fn took(&self, work: usize) {
        add(&self.work, work);
    }

    /// A node that is no element, and in no place yet.
    fn plain(&self) -> Handle {
        self.took(NODE);
        Rc::new(Node::plain(self.tree.borrow_mut().add(Kind::Other)))
    }

    /// Puts it before that child of the parent, or behind all its children.
    fn put(&self, child: NodeOrText<Handle>, parent: NodeId, next: Option<NodeId>) {
        self.took(1);
        let mut tree = self.tree.borrow_mut();
        match child {
            NodeOrText::AppendNode(node) => tree.put(node.id, parent, next),
            NodeOrText::AppendText(text) => tree.write(&text, parent, next),
        }
    }

    fn parent(&self, node: &Handle) -> Option<NodeId> {
        self.tree.borrow().parent(node.id)
    }

    /// It is looked for among the parent's children.
    fn look_through(&self, parent: NodeId) {
        self.took(self.tree.borrow().children(parent));
    }
}

impl TreeSink for Counter {
    type Handle = Handle;
    type Output = ();
    type ElemName<'a> = ExpandedName<'a>;

    fn finish(self) {}

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> Handle {
        self.took(NODE);
        Rc::new(Node::plain(Tree::ROOT))
    }

    fn elem_name<'a>(&'a self, target: &'a Handle) -> ExpandedName<'a> {
        self.took(1);
        target.name.expanded()
    }

    fn create_element(&self, name: QualName, attrs: Vec<Attribute>, flags: ElementFlags) -> Handle {
        self.took(NODE + attrs.len() * ATTRIBUTE);
        let cited = cited::of(&name, &attrs);
        let id = self.tree.borrow_mut().add(Kind::Element(name.clone(), cited));
        Rc::new(Node {
            is_integration_point: flags.mathml_annotation_xml_integration_point,
            content: flags.template.then(|| self.plain()),
            ..Node::new(id, name, attrs.len())
        })
    }

    fn create_comment(&self, _: StrTendril) -> Handle {
        self.plain()
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Handle {
        self.plain()
    }

    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        self.put(child, parent.id, None);
    }

    fn append_based_on_parent_node(&self, element: &Handle, before: &Handle, child: NodeOrText<Handle>) {
        match self.parent(element) {
            Some(_) => self.append_before_sibling(element, child),
            None => self.append(before, child),
        }
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
        if let Some(parent) = self.parent(sibling) {
            self.look_through(parent);
            self.put(new_node, parent, Some(sibling.id));
        }
    }

    fn add_attrs_if_missing(&self, target: &Handle, attrs: Vec<Attribute>) {
        add(&target.attributes, attrs.len());
        // All that it has are looked at.
        self.took(target.attributes.get() * ATTRIBUTE);
    }

    fn remove_from_parent(&self, target: &Handle) {
        if let Some(parent) = self.parent(target) {
            self.look_through(parent);
            self.tree.borrow_mut().take_out(target.id);
        }
    }

    fn reparent_children(&self, node: &Handle, new_parent: &Handle) {
        self.look_through(node.id);
        self.tree.borrow_mut().move_children(node.id, new_parent.id);
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
    fn several_pieces_take_together_what_one_may() {
        let html = format!("<table>{}", "<br>".repeat(7_000));
        let mut taken = Taken::default();
        let read = (0..100).take_while(|_| of(&html, Scripts::Off, &mut taken).is_some()).count();
        assert!((1..10).contains(&read), "{read}");
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
