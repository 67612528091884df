//! A tree of HTML that is put together piece by piece: a node is put in a place, and taken out of it, in no time.

use html5ever::QualName;

use super::cited::Cited;

/// Names a node of one tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(usize);

/// What a node is.
pub enum Kind {
    /// With what it holds of earlier messages, if its attributes say so.
    Element(QualName, Option<Cited>),
    Text(String),
    /// Nothing of it is seen: the document, a comment, what a template holds.
    Other,
}

/// What one comes past on the way through a tree.
pub enum Step<'t> {
    Start(&'t QualName, Option<Cited>),
    Text(&'t str),
    End(&'t QualName),
}

pub struct Tree(Vec<Node>);

struct Node {
    kind: Kind,
    parent: Option<NodeId>,
    previous: Option<NodeId>,
    next: Option<NodeId>,
    first: Option<NodeId>,
    last: Option<NodeId>,
    /// How many children it has.
    children: usize,
}

impl Default for Tree {
    fn default() -> Self {
        let mut tree = Self(Vec::new());
        tree.add(Kind::Other);
        tree
    }
}

impl Tree {
    /// The document.
    pub const ROOT: NodeId = NodeId(0);

    /// A node that is nowhere in the tree yet.
    pub fn add(&mut self, kind: Kind) -> NodeId {
        let id = NodeId(self.0.len());
        self.0.push(Node {
            kind,
            parent: None,
            previous: None,
            next: None,
            first: None,
            last: None,
            children: 0,
        });
        id
    }

    pub fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).parent
    }

    /// How many children the node has.
    pub fn children(&self, id: NodeId) -> usize {
        self.node(id).children
    }

    /// Puts the node before that child of the parent, or behind all its children, wherever it was.
    pub fn put(&mut self, id: NodeId, parent: NodeId, next: Option<NodeId>) {
        self.take_out(id);
        let previous = self.before(parent, next);
        self.node_mut(id).parent = Some(parent);
        self.join(parent, previous, Some(id));
        self.join(parent, Some(id), next);
        self.node_mut(parent).children += 1;
    }

    /// Writes the text before that child of the parent, or behind all its children.
    pub fn write(&mut self, text: &str, parent: NodeId, next: Option<NodeId>) {
        if let Some(previous) = self.before(parent, next)
            && let Kind::Text(before) = &mut self.node_mut(previous).kind
        {
            before.push_str(text);
            return;
        }
        let id = self.add(Kind::Text(text.to_owned()));
        self.put(id, parent, next);
    }

    /// Takes the node out of its place, with all that is in it.
    pub fn take_out(&mut self, id: NodeId) {
        let node = self.node_mut(id);
        let (previous, next) = (node.previous.take(), node.next.take());
        if let Some(parent) = node.parent.take() {
            self.join(parent, previous, next);
            self.node_mut(parent).children -= 1;
        }
    }

    /// Puts all children of one node behind those of another.
    pub fn move_children(&mut self, from: NodeId, to: NodeId) {
        while let Some(child) = self.node(from).first {
            self.put(child, to, None);
        }
    }

    /// Goes through all that is in the document, in the order in which it is seen.
    pub fn walk<'t>(&'t self, mut visit: impl FnMut(Step<'t>)) {
        let mut id = Self::ROOT;
        loop {
            match &self.node(id).kind {
                Kind::Element(name, cited) => visit(Step::Start(name, *cited)),
                Kind::Text(text) => visit(Step::Text(text)),
                Kind::Other => {}
            }
            if let Some(first) = self.node(id).first {
                id = first;
                continue;
            }
            // What ends here, up to what has something behind it.
            loop {
                if let Kind::Element(name, _) = &self.node(id).kind {
                    visit(Step::End(name));
                }
                if let Some(next) = self.node(id).next {
                    id = next;
                    break;
                }
                let Some(parent) = self.node(id).parent else { return };
                id = parent;
            }
        }
    }

    /// The child before that one, or the last.
    fn before(&self, parent: NodeId, next: Option<NodeId>) -> Option<NodeId> {
        match next {
            Some(next) => self.node(next).previous,
            None => self.node(parent).last,
        }
    }

    /// Makes the two neighbours. Where one is missing, the other is the first or the last child.
    fn join(&mut self, parent: NodeId, previous: Option<NodeId>, next: Option<NodeId>) {
        match previous {
            Some(previous) => self.node_mut(previous).next = next,
            None => self.node_mut(parent).first = next,
        }
        match next {
            Some(next) => self.node_mut(next).previous = previous,
            None => self.node_mut(parent).last = previous,
        }
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.0[id.0]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.0[id.0]
    }
}

#[cfg(test)]
mod tests {
    use html5ever::{LocalName, ns};

    use super::*;

    fn element(tree: &mut Tree, name: &str) -> NodeId {
        tree.add(Kind::Element(QualName::new(None, ns!(html), LocalName::from(name)), None))
    }

    fn shown(tree: &Tree) -> String {
        let mut shown = String::new();
        tree.walk(|step| match step {
            Step::Start(name, _) => shown.extend(["<", &*name.local, ">"]),
            Step::Text(text) => shown.push_str(text),
            Step::End(name) => shown.extend(["</", &*name.local, ">"]),
        });
        shown
    }

    #[test]
    fn nodes_stand_where_they_were_put() {
        let mut tree = Tree::default();
        assert_eq!(shown(&tree), "");
        let [a, b, c] = ["a", "b", "c"].map(|name| element(&mut tree, name));
        tree.put(a, Tree::ROOT, None);
        tree.put(c, Tree::ROOT, None);
        tree.put(b, Tree::ROOT, Some(c));
        assert_eq!(shown(&tree), "<a></a><b></b><c></c>");
        tree.write("x", b, None);
        tree.write("y", b, None);
        tree.write("z", Tree::ROOT, Some(b));
        tree.write("z", Tree::ROOT, Some(b));
        assert_eq!(shown(&tree), "<a></a>zz<b>xy</b><c></c>");
        assert_eq!((tree.children(Tree::ROOT), tree.children(b)), (4, 1));
        tree.move_children(b, c);
        assert_eq!(shown(&tree), "<a></a>zz<b></b><c>xy</c>");
    }

    #[test]
    fn a_node_is_in_one_place() {
        let mut tree = Tree::default();
        let [a, b, c] = ["a", "b", "c"].map(|name| element(&mut tree, name));
        for id in [a, b, c] {
            tree.put(id, Tree::ROOT, None);
        }
        tree.write("x", b, None);
        tree.put(b, c, None);
        assert_eq!(shown(&tree), "<a></a><c><b>x</b></c>");
        tree.put(c, Tree::ROOT, Some(a));
        assert_eq!(shown(&tree), "<c><b>x</b></c><a></a>");
        tree.move_children(b, a);
        assert_eq!(shown(&tree), "<c><b></b></c><a>x</a>");
        tree.take_out(c);
        tree.take_out(c);
        assert_eq!(shown(&tree), "<a>x</a>");
        assert_eq!((tree.parent(c), tree.parent(a)), (None, Some(Tree::ROOT)));
        assert_eq!(tree.children(Tree::ROOT), 1);
    }
}
