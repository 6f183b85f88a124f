using LlmMarketplace.Embedding;

namespace LlmMarketplace.LocalProvider;

/// <summary><c>GET /v1/models</c> and <c>GET /v1/models/{id}</c>.</summary>
internal static class ListModels
{
    internal sealed record Response(string Object, IReadOnlyList<Model> Data);

    /// <param name="Id">What requests name.</param>
    /// <param name="Object">Always <c>model</c>.</param>
    /// <param name="Created">Unix seconds of the model's publication.</param>
    /// <param name="OwnedBy">Who trained it.</param>
    internal sealed record Model(string Id, string Object, long Created, string OwnedBy);

    // sentence-transformers published it on 30 August 2021.
    private static readonly Model Only = new(SentenceEmbedder.ModelName, "model", 1_630_281_600, "sentence-transformers");

    public static IResult Handle() => TypedResults.Json(new Response("list", [Only]), LocalProviderApp.Json);

    public static IResult Get(string id) => id == Only.Id
        ? TypedResults.Json(Only, LocalProviderApp.Json)
        : ProviderError.Result(StatusCodes.Status404NotFound, $"The model `{id}` does not exist here; there is `{Only.Id}`.", "model", "model_not_found");
}
