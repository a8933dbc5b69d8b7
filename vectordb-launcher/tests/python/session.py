"""A session of the official Python client, once over REST and once over gRPC.

Called with the REST port, the gRPC port and "rest" or "grpc"; ends with status
0 if every answer was the expected one. Nothing in here knows that it may be
talking to the embedded engine.
"""

import sys

from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

HTTP, GRPC, EDGE = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
NAME = f"python-{EDGE}"

client = QdrantClient(
    host="127.0.0.1", port=HTTP, grpc_port=GRPC, prefer_grpc=EDGE == "grpc", timeout=60
)


def check(what, got, expect):
    assert got == expect, f"{EDGE}: {what}: got {got!r}, expected {expect!r}"


def ids(points):
    return [point.id for point in points]


def refused(what, status, code, call):
    """Runs a call that must fail: with this HTTP status or this gRPC code."""
    try:
        call()
    except UnexpectedResponse as error:
        check(what, error.status_code, status)
        assert error.structured()["status"]["error"], error
    except Exception as error:  # grpc.RpcError has no public base with code()
        check(what, error.code().name, code)
    else:
        raise AssertionError(f"{EDGE}: {what}: was not refused")


def match(key, value):
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


# Collections.
check("version", client.info().version.split(".")[0], "1")
check("exists", client.collection_exists(NAME), False)
check(
    "create",
    client.create_collection(
        NAME,
        vectors_config={
            "dense": models.VectorParams(
                size=4,
                distance=models.Distance.COSINE,
                hnsw_config=models.HnswConfigDiff(m=8),
            ),
            "rows": models.VectorParams(
                size=2,
                distance=models.Distance.DOT,
                multivector_config=models.MultiVectorConfig(
                    comparator=models.MultiVectorComparator.MAX_SIM
                ),
            ),
        },
        sparse_vectors_config={"bm25": models.SparseVectorParams(modifier=models.Modifier.IDF)},
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=30000),
        metadata={"owner": "test"},
    ),
    True,
)
refused(
    "a second creation",
    409,
    "ALREADY_EXISTS",
    lambda: client.create_collection(
        NAME, vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT)
    ),
)
check("exists", client.collection_exists(NAME), True)
check("list", NAME in [c.name for c in client.get_collections().collections], True)
config = client.get_collection(NAME).config
check("vector size", config.params.vectors["dense"].size, 4)
check("vector hnsw", config.params.vectors["dense"].hnsw_config.m, 8)
check("threshold", config.optimizer_config.indexing_threshold, 30000)
check("metadata", config.metadata, {"owner": "test"})
check(
    "change",
    client.update_collection(
        NAME,
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=40000),
        metadata={"owner": "tester"},
    ),
    True,
)
config = client.get_collection(NAME).config
check("threshold", config.optimizer_config.indexing_threshold, 40000)
check("metadata", config.metadata, {"owner": "tester"})
for field, schema in [
    ("workspace", models.PayloadSchemaType.KEYWORD),
    ("line", models.IntegerIndexParams(type="integer", lookup=True, range=True)),
    ("gone", models.PayloadSchemaType.KEYWORD),
]:
    client.create_payload_index(NAME, field, field_schema=schema, wait=True)
client.delete_payload_index(NAME, "gone", wait=True)
check("indexes", sorted(client.get_collection(NAME).payload_schema), ["line", "workspace"])

# Points.
UUID = "550e8400-e29b-41d4-a716-446655440000"


def point(id, workspace, line, dense, sparse):
    return models.PointStruct(
        id=id,
        payload={"workspace": workspace, "line": line, "deep": {"tag": ["x", workspace]}},
        vector={
            "dense": dense,
            "rows": [dense[:2], dense[2:]],
            "bm25": models.SparseVector(indices=list(sparse), values=list(sparse.values())),
        },
    )


written = client.upsert(
    NAME,
    points=[
        point(1, "a", 10, [1.0, 0.0, 0.0, 0.0], {10: 1.0}),
        point(2, "a", 20, [0.9, 0.1, 0.0, 0.0], {20: 1.0}),
        point(3, "a", 30, [0.0, 1.0, 0.0, 0.0], {20: 0.5, 10: 2.0}),
        point(4, "b", 40, [0.0, 0.0, 1.0, 0.0], {30: 1.0}),
    ],
    wait=True,
)
check("upsert", written.status, models.UpdateStatus.COMPLETED)
client.upsert(
    NAME,
    points=models.Batch(
        ids=[UUID],
        payloads=[{"workspace": "b", "line": 50}],
        vectors={"dense": [[0.0, 0.0, 0.0, 1.0]]},
    ),
    wait=True,
)
check("count", client.count(NAME, exact=True).count, 5)
check("count", client.count(NAME, count_filter=models.Filter(must=[match("workspace", "a")])).count, 3)
check("upsert in parts", client.upload_points(NAME, [point(6, "c", 60, [0.5] * 4, {9: 1.0})], wait=True), None)
refused(
    "a wrong dimension",
    400,
    "INVALID_ARGUMENT",
    lambda: client.upsert(
        NAME,
        [
            models.PointStruct(id=90, vector={"dense": [1.0] * 4}),
            models.PointStruct(id=91, vector={"dense": [1.0]}),
        ],
    ),
)
check("nothing of it stayed", client.retrieve(NAME, [90]), [])
refused("an unknown collection", 404, "NOT_FOUND", lambda: client.count("none"))
refused(
    "an unknown vector",
    400,
    "INVALID_ARGUMENT",
    lambda: client.query_points(NAME, query=[1.0] * 4, using="none"),
)

got = client.retrieve(NAME, [3, UUID], with_payload=True, with_vectors=True)
check("retrieve", ids(got), [3, UUID])
check("payload", got[0].payload, {"workspace": "a", "line": 30, "deep": {"tag": ["x", "a"]}})
check("sparse", got[0].vector["bm25"], models.SparseVector(indices=[10, 20], values=[2.0, 0.5]))
check("rows", got[0].vector["rows"], [[0.0, 1.0], [0.0, 0.0]])
check("only named", list(client.retrieve(NAME, [3], with_vectors=["dense"])[0].vector), ["dense"])
check(
    "only some payload",
    client.retrieve(NAME, [3], with_payload=models.PayloadSelectorInclude(include=["line"]))[0].payload,
    {"line": 30},
)

page, following = client.scroll(NAME, limit=2)
check("scroll", (ids(page), following), ([1, 2], 3))
page, following = client.scroll(NAME, limit=10, offset=following)
check("scroll", (ids(page), following), ([3, 4, 6, UUID], None))
page, _ = client.scroll(NAME, order_by=models.OrderBy(key="line", direction=models.Direction.DESC), limit=2)
check("ordered scroll", ids(page), [6, UUID])
page, _ = client.scroll(
    NAME,
    scroll_filter=models.Filter(
        must=[models.FieldCondition(key="line", range=models.Range(gte=20, lt=50))],
        must_not=[models.HasIdCondition(has_id=[4]), match("deep.tag[]", "b")],
    ),
)
check("filtered scroll", ids(page), [2, 3])

# Searches.
only_a = models.Filter(must=[match("workspace", "a")])
bm25 = models.SparseVector(indices=[20, 10], values=[1.0, 1.0])
found = client.query_points(NAME, query=[1.0, 0.0, 0.0, 0.0], using="dense", limit=2).points
check("nearest", ids(found), [1, 2])
assert abs(found[0].score - 1.0) < 1e-4, found
found = client.query_points(NAME, query=bm25, using="bm25", query_filter=only_a, with_payload=["line"]).points
check("sparse", sorted(ids(found)), [1, 2, 3])
check("sparse payload", found[0].payload.keys(), {"line"})
found = client.query_points(NAME, query=[[0.0, 1.0]], using="rows", limit=1, query_filter=only_a).points
check("multi-vector", ids(found), [3])
check("by id", ids(client.query_points(NAME, query=1, using="dense", limit=1).points), [2])
for fusion in [models.Fusion.RRF, models.Fusion.DBSF]:
    found = client.query_points(
        NAME,
        prefetch=[
            models.Prefetch(query=[1.0, 0.0, 0.0, 0.0], using="dense", limit=3, filter=only_a),
            models.Prefetch(query=bm25, using="bm25", limit=3, filter=only_a),
        ],
        query=models.FusionQuery(fusion=fusion),
        limit=3,
    ).points
    check(f"hybrid {fusion}", sorted(ids(found)), [1, 2, 3])
found = client.query_points(
    NAME,
    prefetch=models.Prefetch(query=[1.0, 0.0, 0.0, 0.0], using="dense", limit=10),
    query=models.FormulaQuery(
        formula=models.SumExpression(
            sum=["$score", models.MultExpression(mult=[10.0, match("line", 30)])]
        )
    ),
    limit=1,
).points
check("formula", ids(found), [3])
found = client.query_points(
    NAME,
    query=models.RecommendQuery(
        recommend=models.RecommendInput(
            positive=[1], negative=[4], strategy=models.RecommendStrategy.BEST_SCORE
        )
    ),
    using="dense",
    limit=1,
).points
check("recommend", ids(found), [2])
found = client.query_points(
    NAME,
    query=models.NearestQuery(nearest=[1.0, 0.0, 0.0, 0.0], mmr=models.Mmr(diversity=1.0, candidates_limit=5)),
    using="dense",
    limit=2,
).points
check("diverse", (len(found), 1 in ids(found)), (2, True))
check(
    "order by",
    ids(client.query_points(NAME, query=models.OrderByQuery(order_by="line"), limit=2).points),
    [1, 2],
)
check("sample", len(client.query_points(NAME, query=models.SampleQuery(sample=models.Sample.RANDOM)).points), 6)
lists = client.query_batch_points(
    NAME,
    [
        models.QueryRequest(query=[0.0, 0.0, 1.0, 0.0], using="dense", limit=1),
        models.QueryRequest(query=bm25, using="bm25", limit=1, filter=only_a),
    ],
)
check("batch", [ids(one.points) for one in lists], [[4], [3]])
groups = client.query_points_groups(
    NAME, query=[1.0, 0.0, 0.0, 0.0], using="dense", group_by="workspace", limit=2, group_size=2
).groups
check("groups", groups[0].id, "a")
check("group hits", ids(groups[0].hits), [1, 2])
hits = client.facet(NAME, key="workspace", exact=True).hits
check("facet", sorted((hit.value, hit.count) for hit in hits), [("a", 3), ("b", 2), ("c", 1)])
pairs = client.search_matrix_pairs(NAME, sample=6, limit=2, using="dense").pairs
check("matrix", len(pairs), 12)

# Payload.
client.set_payload(NAME, {"seen": True}, points=[1, 2], wait=True)
client.set_payload(NAME, {"new": 1}, points=[1], key="deep", wait=True)
check("set", client.retrieve(NAME, [1])[0].payload["deep"], {"tag": ["x", "a"], "new": 1})
client.overwrite_payload(NAME, {"only": 1}, points=models.Filter(must=[match("workspace", "c")]), wait=True)
check("overwrite", client.retrieve(NAME, [6])[0].payload, {"only": 1})
client.delete_payload(NAME, keys=["seen", "deep"], points=[1], wait=True)
check("delete keys", client.retrieve(NAME, [1])[0].payload, {"workspace": "a", "line": 10})
client.clear_payload(NAME, points_selector=[6], wait=True)
check("clear", client.retrieve(NAME, [6])[0].payload, {})

# Vectors, batches, deletion.
client.update_vectors(NAME, [models.PointVectors(id=4, vector={"dense": [0.0, 1.0, 0.0, 0.0]})], wait=True)
check("new vector", client.retrieve(NAME, [4], with_vectors=["dense"])[0].vector["dense"], [0.0, 1.0, 0.0, 0.0])
client.delete_vectors(NAME, vectors=["bm25"], points=[4], wait=True)
check("no vector", sorted(client.retrieve(NAME, [4], with_vectors=True)[0].vector), ["dense", "rows"])
results = client.batch_update_points(
    NAME,
    [
        models.UpsertOperation(upsert=models.PointsList(points=[point(7, "d", 70, [0.1] * 4, {1: 1.0})])),
        models.SetPayloadOperation(set_payload=models.SetPayload(payload={"late": 1}, points=[7])),
        models.DeleteOperation(delete=models.PointIdsList(points=[6])),
    ],
    wait=True,
)
check("batch", [result.status for result in results], [models.UpdateStatus.COMPLETED] * 3)
check("batch", client.retrieve(NAME, [6, 7])[0].payload["late"], 1)
client.delete(NAME, points_selector=models.FilterSelector(filter=models.Filter(must=[match("workspace", "b")])), wait=True)
client.delete(NAME, points_selector=[7], wait=True)
check("left", ids(client.scroll(NAME)[0]), [1, 2, 3])

# Aliases and the end.
alias = f"alias-{EDGE}"
client.update_collection_aliases(
    [
        models.CreateAliasOperation(
            create_alias=models.CreateAlias(collection_name=NAME, alias_name=alias)
        )
    ]
)
check("alias", client.count(alias).count, 3)
check("aliases", [one.alias_name for one in client.get_collection_aliases(NAME).aliases], [alias])
check("aliases", alias in [one.alias_name for one in client.get_aliases().aliases], True)
client.update_collection_aliases(
    [models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))]
)
check("delete", client.delete_collection(NAME), True)
check("exists", client.collection_exists(NAME), False)
client.close()
print(f"{EDGE}: ok")
