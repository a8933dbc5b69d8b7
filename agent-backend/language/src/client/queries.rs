//! Questions about a place in an open document.

use lsp_types::{
    GotoDefinitionParams, GotoDefinitionResponse, HoverContents, HoverParams, MarkedString, ReferenceContext,
    ReferenceParams, TextDocumentIdentifier, TextDocumentPositionParams,
    request::{GotoDefinition, HoverRequest, References},
};

use super::{Client, Location};
use crate::{
    Error, Position,
    clock::Deadline,
    diagnostic::cut,
    limits::{HOVER_BYTES_MAX, LOCATIONS_MAX},
    uris,
};

impl Client {
    /// What the server shows of the thing at this place; none if there is
    /// nothing. At most 16 KiB.
    pub fn hover(&mut self, path: &str, position: Position) -> Result<Option<String>, Error> {
        let (at, deadline) = self.at(path, position)?;
        let params = HoverParams {
            text_document_position_params: at,
            work_done_progress_params: Default::default(),
        };
        let hover = self.ask::<HoverRequest>(&params, deadline)?;
        let text = hover.map(|hover| match hover.contents {
            HoverContents::Scalar(text) => marked(text),
            HoverContents::Array(texts) => texts.into_iter().map(marked).collect::<Vec<_>>().join("\n\n"),
            HoverContents::Markup(markup) => markup.value,
        });
        let text = text.map(|text| cut(text.trim().to_owned(), HOVER_BYTES_MAX));
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// Where the thing at this place is defined.
    pub fn definition(&mut self, path: &str, position: Position) -> Result<Vec<Location>, Error> {
        let (at, deadline) = self.at(path, position)?;
        let params = GotoDefinitionParams {
            text_document_position_params: at,
            work_done_progress_params: Default::default(),
            partial_result_params: Default::default(),
        };
        let locations = match self.ask::<GotoDefinition>(&params, deadline)? {
            None => Vec::new(),
            Some(GotoDefinitionResponse::Scalar(location)) => vec![location],
            Some(GotoDefinitionResponse::Array(locations)) => locations,
            Some(GotoDefinitionResponse::Link(links)) => links
                .into_iter()
                .map(|link| lsp_types::Location::new(link.target_uri, link.target_selection_range))
                .collect(),
        };
        Ok(self.locations(locations))
    }

    /// Where the thing at this place is named, its definition included.
    pub fn references(&mut self, path: &str, position: Position) -> Result<Vec<Location>, Error> {
        let (at, deadline) = self.at(path, position)?;
        let params = ReferenceParams {
            text_document_position: at,
            work_done_progress_params: Default::default(),
            partial_result_params: Default::default(),
            context: ReferenceContext {
                include_declaration: true,
            },
        };
        let locations = self.ask::<References>(&params, deadline)?;
        Ok(self.locations(locations.unwrap_or_default()))
    }

    /// The parameters of a question, when the server can answer it: one that is
    /// asked while it reads the project knows nothing.
    fn at(
        &mut self,
        path: &str,
        position: Position,
    ) -> Result<(TextDocumentPositionParams, Deadline), Error> {
        self.opened(path)?;
        self.until_loaded(Deadline::after(self.timeouts.diagnostics))?;
        let document = TextDocumentIdentifier::new(self.uri(path)?);
        let at = TextDocumentPositionParams::new(document, position.into());
        Ok((at, Deadline::after(self.timeouts.answer)))
    }

    /// In order and each once.
    fn locations(&self, locations: Vec<lsp_types::Location>) -> Vec<Location> {
        let mut found: Vec<Location> = locations
            .into_iter()
            .take(LOCATIONS_MAX)
            .filter_map(|location| {
                Some(Location {
                    path: uris::path_of(&self.root, &location.uri)?,
                    range: location.range.into(),
                })
            })
            .collect();
        found.sort();
        found.dedup();
        found
    }
}

fn marked(text: MarkedString) -> String {
    match text {
        MarkedString::String(text) => text,
        MarkedString::LanguageString(text) => text.value,
    }
}
