//! Circles in a graph of numbered nodes.

use std::collections::VecDeque;

/// Groups of nodes that all reach each other, each in ascending order.
pub(super) fn strongly_connected(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let reach: Vec<Vec<bool>> = (0..edges.len()).map(|from| reached(from, edges)).collect();
    let mut grouped = vec![false; edges.len()];
    let mut groups = Vec::new();
    for from in 0..edges.len() {
        if grouped[from] {
            continue;
        }
        let group: Vec<usize> =
            (from..edges.len()).filter(|&to| to == from || reach[from][to] && reach[to][from]).collect();
        for &node in &group {
            grouped[node] = true;
        }
        groups.push(group);
    }
    groups
}

fn reached(from: usize, edges: &[Vec<usize>]) -> Vec<bool> {
    let mut seen = vec![false; edges.len()];
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        for &next in &edges[node] {
            if !seen[next] {
                seen[next] = true;
                open.push(next);
            }
        }
    }
    seen
}

/// The shortest way from the group's first node back to it. Its first and last nodes are the same.
pub(super) fn shortest_way_round(group: &[usize], edges: &[Vec<usize>]) -> Vec<usize> {
    let start = group[0];
    let mut came_from = vec![None; edges.len()];
    let mut open = VecDeque::from([start]);
    while let Some(node) = open.pop_front() {
        for &next in &edges[node] {
            if next == start {
                return back_from(node, start, &came_from);
            }
            if group.contains(&next) && came_from[next].is_none() {
                came_from[next] = Some(node);
                open.push_back(next);
            }
        }
    }
    vec![start]
}

fn back_from(last: usize, start: usize, came_from: &[Option<usize>]) -> Vec<usize> {
    let mut way = vec![start, last];
    while let Some(node) = way.last().copied().filter(|&node| node != start) {
        way.extend(came_from[node]);
    }
    way.reverse();
    way
}
