//! Reads and searches.

use qdrant_client::qdrant::{self as grpc, query::Variant, vector_input::Variant as Input};

use super::{Check, Faults};

/// Most candidates of a search for diversity.
const CANDIDATES_MAX: u32 = 16_384;

impl Check for grpc::ScrollPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.part("filter", self.filter.as_ref());
        faults.least("limit", self.limit, 1);
    }
}

impl Check for grpc::CountPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.part("filter", self.filter.as_ref());
    }
}

impl Check for grpc::FacetCounts {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.not_empty("key", &self.key, self.key.len());
        faults.part("filter", self.filter.as_ref());
        faults.timeout(self.timeout);
    }
}

impl Check for grpc::SearchMatrixPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.part("filter", self.filter.as_ref());
        faults.least("sample", self.sample, 2);
        faults.least("limit", self.limit, 1);
        faults.timeout(self.timeout);
    }
}

impl Check for grpc::QueryPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.least("limit", self.limit, 1);
        faults.each("prefetch", &self.prefetch);
        faults.part("query", self.query.as_ref());
        faults.part("filter", self.filter.as_ref());
        faults.part("params", self.params.as_ref());
        faults.timeout(self.timeout);
    }
}

impl Check for grpc::PrefetchQuery {
    fn check(&self, faults: &mut Faults) {
        faults.each("prefetch", &self.prefetch);
        faults.part("query", self.query.as_ref());
        faults.part("filter", self.filter.as_ref());
        faults.part("params", self.params.as_ref());
        faults.least("limit", self.limit, 1);
    }
}

impl Check for grpc::QueryBatchPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.each("query_points", &self.query_points);
        faults.timeout(self.timeout);
    }
}

impl Check for grpc::QueryPointGroups {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.each("prefetch", &self.prefetch);
        faults.part("query", self.query.as_ref());
        faults.not_empty("group_by", &self.group_by, self.group_by.len());
        faults.part("filter", self.filter.as_ref());
        faults.part("params", self.params.as_ref());
        faults.least("group_size", self.group_size, 1);
        faults.least("limit", self.limit, 1);
        faults.timeout(self.timeout);
    }
}

impl Check for grpc::Query {
    fn check(&self, faults: &mut Faults) {
        let Some(variant) = &self.variant else { return };
        faults.within("variant".to_owned(), |faults| match variant {
            Variant::Nearest(input) => input.check(faults),
            Variant::Recommend(wanted) => {
                faults.each("positive", &wanted.positive);
                faults.each("negative", &wanted.negative);
            }
            Variant::Discover(wanted) => {
                faults.part("target", wanted.target.as_ref());
                faults.part("context", wanted.context.as_ref());
            }
            Variant::Context(context) => context.check(faults),
            Variant::NearestWithMmr(wanted) => {
                faults.part("nearest", wanted.nearest.as_ref());
                faults.part("mmr", wanted.mmr.as_ref());
            }
            Variant::Rrf(rrf) => faults.least("k", rrf.k, 1),
            Variant::RelevanceFeedback(wanted) => {
                faults.part("target", wanted.target.as_ref());
                faults.each("feedback", &wanted.feedback);
                faults.part("strategy", wanted.strategy.as_ref());
            }
            Variant::OrderBy(_)
            | Variant::Fusion(_)
            | Variant::Sample(_)
            | Variant::Formula(_)
            | Variant::Text(_) => {}
        });
    }
}

impl Check for grpc::VectorInput {
    fn check(&self, faults: &mut Faults) {
        match &self.variant {
            Some(Input::Sparse(sparse)) => faults.part("variant", Some(sparse)),
            Some(Input::MultiDense(rows)) => faults.part("variant", Some(rows)),
            Some(
                Input::Id(_) | Input::Dense(_) | Input::Document(_) | Input::Image(_) | Input::Object(_),
            )
            | None => {}
        }
    }
}

impl Check for grpc::ContextInput {
    fn check(&self, faults: &mut Faults) {
        faults.each("pairs", &self.pairs);
    }
}

impl Check for grpc::ContextInputPair {
    fn check(&self, faults: &mut Faults) {
        faults.part("positive", self.positive.as_ref());
        faults.part("negative", self.negative.as_ref());
    }
}

impl Check for grpc::Mmr {
    fn check(&self, faults: &mut Faults) {
        faults.range("diversity", self.diversity, (0.0, 1.0));
        if let Some(limit) = self.candidates_limit
            && limit > CANDIDATES_MAX
        {
            let words = format!("value {limit} invalid, must be {CANDIDATES_MAX} or smaller");
            faults.add("candidates_limit", words);
        }
    }
}

impl Check for grpc::FeedbackItem {
    fn check(&self, faults: &mut Faults) {
        faults.part("example", self.example.as_ref());
    }
}

impl Check for grpc::FeedbackStrategy {
    fn check(&self, faults: &mut Faults) {
        use grpc::feedback_strategy::Variant;
        match &self.variant {
            Some(Variant::Naive(naive)) => {
                faults.within("variant".to_owned(), |faults| faults.least("b", naive.b, 0.0));
            }
            None => {}
        }
    }
}

impl Check for grpc::SearchParams {
    fn check(&self, faults: &mut Faults) {
        faults.least("hnsw_ef", self.hnsw_ef, 1);
        if let Some(quantization) = &self.quantization {
            faults.within("quantization".to_owned(), |faults| {
                faults.least("oversampling", quantization.oversampling, 1.0);
            });
        }
        if let Some(acorn) = &self.acorn {
            faults.within("acorn".to_owned(), |faults| {
                faults.range("max_selectivity", acorn.max_selectivity, (0.0, 1.0));
            });
        }
        if let Some(idf) = &self.idf {
            faults.within("idf".to_owned(), |faults| {
                faults.part("corpus", idf.corpus.as_ref())
            });
        }
    }
}

impl Check for grpc::SearchPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.part("filter", self.filter.as_ref());
        faults.least("limit", self.limit, 1);
        faults.part("params", self.params.as_ref());
        faults.timeout(self.timeout);
    }
}

impl Check for grpc::SearchBatchPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.each("search_points", &self.search_points);
        faults.timeout(self.timeout);
    }
}

impl Check for grpc::SearchPointGroups {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.not_empty("group_by", &self.group_by, self.group_by.len());
        faults.part("filter", self.filter.as_ref());
        faults.part("params", self.params.as_ref());
        faults.least("group_size", self.group_size, 1);
        faults.least("limit", self.limit, 1);
        faults.timeout(self.timeout);
    }
}

impl Check for grpc::RecommendPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.part("filter", self.filter.as_ref());
        faults.part("params", self.params.as_ref());
        faults.timeout(self.timeout);
        faults.each("positive_vectors", &self.positive_vectors);
        faults.each("negative_vectors", &self.negative_vectors);
    }
}

impl Check for grpc::RecommendBatchPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.each("recommend_points", &self.recommend_points);
        faults.timeout(self.timeout);
    }
}

impl Check for grpc::DiscoverPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.part("filter", self.filter.as_ref());
        faults.part("params", self.params.as_ref());
        faults.least("limit", self.limit, 1);
        faults.timeout(self.timeout);
    }
}

impl Check for grpc::DiscoverBatchPoints {
    fn check(&self, faults: &mut Faults) {
        faults.name(&self.collection_name);
        faults.each("discover_points", &self.discover_points);
        faults.timeout(self.timeout);
    }
}
