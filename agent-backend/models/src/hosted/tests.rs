//! What holds for all three readers.

use super::{
    HostedKind,
    anthropic::AnthropicReader,
    gemini::GeminiReader,
    openai::OpenAiReader,
    reader::{Next, Reader},
};
use crate::{ChatRequest, Chunk, sse};

fn reader(kind: HostedKind) -> Box<dyn Reader> {
    match kind {
        HostedKind::OpenAi => Box::new(OpenAiReader::default()),
        HostedKind::Anthropic => Box::new(AnthropicReader::new(&ChatRequest::default())),
        HostedKind::Gemini => Box::new(GeminiReader::default()),
    }
}

/// All that a body gives, or that it gives an error.
fn read(kind: HostedKind, body: &[u8]) -> Option<Vec<Chunk>> {
    let mut decoder = sse::Decoder::new(1 << 20);
    let mut reader = reader(kind);
    let mut out = Vec::new();
    decoder.push(body);
    while let Some(event) = decoder.next_event().ok()? {
        if reader.event(&event, &mut out).ok()? == Next::Over {
            break;
        }
    }
    if let Some(event) = decoder.finish().ok()? {
        reader.event(&event, &mut out).ok()?;
    }
    reader.tally().ended().ok().map(|_| out)
}

const BODIES: [(HostedKind, &str); 3] = [
    (
        HostedKind::OpenAi,
        concat!(
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"h\u{e9}llo\"}}]}\n\n",
            ": keep-alive\n\n",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"1\",\"function\":{\"name\":\"read\",\"arguments\":\"{\\\"p\\\":\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n",
            "data: [DONE]\n\n",
        ),
    ),
    (
        HostedKind::Anthropic,
        concat!(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5}}}\n\n",
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"h\u{e9}llo\"}}\n\n",
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"read\"}}\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"p\\\":1}\"}}\n\n",
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":2}}\n\n",
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        ),
    ),
    (
        HostedKind::Gemini,
        concat!(
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"h\u{e9}llo\"}]}}]}\r\n\r\n",
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"id\":\"1\",\"name\":\"read\",\"args\":{\"p\":1}}}]},\"finishReason\":\"STOP\"}]}\r\n\r\n",
            "data: {\"usageMetadata\":{\"promptTokenCount\":5}}\r\n\r\n",
        ),
    ),
];

#[test]
fn an_answer_cut_at_any_byte_is_whole_or_an_error() {
    for (kind, body) in BODIES {
        let whole = read(kind, body.as_bytes()).unwrap();
        assert_eq!(whole.len(), 2, "{kind:?} {whole:?}");
        let cuts = (0..body.len()).filter(|cut| {
            let found = read(kind, &body.as_bytes()[..*cut]);
            assert!(
                found.is_none() || found.as_ref() == Some(&whole),
                "{kind:?} {cut}: {found:?}"
            );
            found.is_some()
        });
        // Only what follows the reason to end may be missing.
        assert!(cuts.count() < body.len() / 3, "{kind:?}");
    }
}
