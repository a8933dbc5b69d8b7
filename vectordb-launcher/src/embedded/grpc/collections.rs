//! Collections and aliases.

use qdrant_client::qdrant::{
    AliasDescription, ChangeAliases, CollectionClusterInfoRequest, CollectionClusterInfoResponse,
    CollectionDescription, CollectionExists, CollectionExistsRequest, CollectionExistsResponse,
    CollectionOperationResponse, CreateCollection, CreateShardKeyRequest, CreateShardKeyResponse,
    DeleteCollection, DeleteShardKeyRequest, DeleteShardKeyResponse, GetCollectionInfoRequest,
    GetCollectionInfoResponse, ListAliasesRequest, ListAliasesResponse, ListCollectionAliasesRequest,
    ListCollectionsRequest, ListCollectionsResponse, ListShardKeysRequest, ListShardKeysResponse,
    UpdateCollection, UpdateCollectionClusterSetupRequest, UpdateCollectionClusterSetupResponse,
    collections_server::Collections,
};
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use super::{Service, check::checked, seconds, unimplemented};
use crate::embedded::{
    calls,
    convert::{create, info},
};

fn done(result: bool, started: Instant) -> Response<CollectionOperationResponse> {
    Response::new(CollectionOperationResponse {
        result,
        time: seconds(started),
    })
}

fn described(aliases: Vec<(String, String)>, started: Instant) -> Response<ListAliasesResponse> {
    let aliases = aliases
        .into_iter()
        .map(|(alias_name, collection_name)| AliasDescription {
            alias_name,
            collection_name,
        })
        .collect();
    Response::new(ListAliasesResponse {
        aliases,
        time: seconds(started),
    })
}

#[tonic::async_trait]
impl Collections for Service {
    async fn get(
        &self,
        request: Request<GetCollectionInfoRequest>,
    ) -> Result<Response<GetCollectionInfoResponse>, Status> {
        let started = Instant::now();
        let name = checked(request)?.collection_name;
        let info = self
            .run(move |store| {
                let (record, collection) = store.described(&name)?;
                info::info(&record, &collection)
            })
            .await?;
        Ok(Response::new(GetCollectionInfoResponse {
            result: Some(info),
            time: seconds(started),
        }))
    }

    async fn list(
        &self,
        _: Request<ListCollectionsRequest>,
    ) -> Result<Response<ListCollectionsResponse>, Status> {
        let started = Instant::now();
        let collections = self
            .store
            .names()
            .into_iter()
            .map(|name| CollectionDescription { name })
            .collect();
        Ok(Response::new(ListCollectionsResponse {
            collections,
            time: seconds(started),
        }))
    }

    async fn create(
        &self,
        request: Request<CreateCollection>,
    ) -> Result<Response<CollectionOperationResponse>, Status> {
        let started = Instant::now();
        let request = checked(request)?;
        self.run(move |store| {
            let name = request.collection_name.clone();
            let new = create::create(request)?;
            store.create(&name, new.config, new.metadata)
        })
        .await?;
        Ok(done(true, started))
    }

    async fn update(
        &self,
        request: Request<UpdateCollection>,
    ) -> Result<Response<CollectionOperationResponse>, Status> {
        let started = Instant::now();
        let request = checked(request)?;
        self.run(move |store| {
            let name = request.collection_name.clone();
            calls::change(store, &name, create::changes(request)?)
        })
        .await?;
        Ok(done(true, started))
    }

    async fn delete(
        &self,
        request: Request<DeleteCollection>,
    ) -> Result<Response<CollectionOperationResponse>, Status> {
        let started = Instant::now();
        let name = checked(request)?.collection_name;
        let existed = self.run(move |store| store.delete(&name)).await?;
        Ok(done(existed, started))
    }

    async fn update_aliases(
        &self,
        request: Request<ChangeAliases>,
    ) -> Result<Response<CollectionOperationResponse>, Status> {
        let started = Instant::now();
        let changes = create::aliases(checked(request)?.actions)?;
        self.run(move |store| store.change_aliases(changes)).await?;
        Ok(done(true, started))
    }

    async fn list_collection_aliases(
        &self,
        request: Request<ListCollectionAliasesRequest>,
    ) -> Result<Response<ListAliasesResponse>, Status> {
        let started = Instant::now();
        let name = checked(request)?.collection_name;
        Ok(described(calls::aliases_of(&self.store, &name), started))
    }

    async fn list_aliases(
        &self,
        _: Request<ListAliasesRequest>,
    ) -> Result<Response<ListAliasesResponse>, Status> {
        Ok(described(self.store.aliases(), Instant::now()))
    }

    async fn collection_exists(
        &self,
        request: Request<CollectionExistsRequest>,
    ) -> Result<Response<CollectionExistsResponse>, Status> {
        let started = Instant::now();
        let exists = self.store.collection(&checked(request)?.collection_name).is_ok();
        Ok(Response::new(CollectionExistsResponse {
            result: Some(CollectionExists { exists }),
            time: seconds(started),
        }))
    }

    async fn collection_cluster_info(
        &self,
        _: Request<CollectionClusterInfoRequest>,
    ) -> Result<Response<CollectionClusterInfoResponse>, Status> {
        Err(unimplemented("Collections/CollectionClusterInfo"))
    }

    async fn update_collection_cluster_setup(
        &self,
        _: Request<UpdateCollectionClusterSetupRequest>,
    ) -> Result<Response<UpdateCollectionClusterSetupResponse>, Status> {
        Err(unimplemented("Collections/UpdateCollectionClusterSetup"))
    }

    async fn create_shard_key(
        &self,
        _: Request<CreateShardKeyRequest>,
    ) -> Result<Response<CreateShardKeyResponse>, Status> {
        Err(unimplemented("Collections/CreateShardKey"))
    }

    async fn delete_shard_key(
        &self,
        _: Request<DeleteShardKeyRequest>,
    ) -> Result<Response<DeleteShardKeyResponse>, Status> {
        Err(unimplemented("Collections/DeleteShardKey"))
    }

    async fn list_shard_keys(
        &self,
        _: Request<ListShardKeysRequest>,
    ) -> Result<Response<ListShardKeysResponse>, Status> {
        Err(unimplemented("Collections/ListShardKeys"))
    }
}
