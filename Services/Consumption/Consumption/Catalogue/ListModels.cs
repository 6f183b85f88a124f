using System.ComponentModel;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Keys;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary><c>GET /v1/models</c> and <c>GET /v1/models/{id}</c>: what this key may call.</summary>
internal static class ListModels
{
    /// <param name="Id">What calls name: <c>provider/service</c>.</param>
    /// <param name="Object">Always <c>model</c>.</param>
    /// <param name="Created">Unix seconds.</param>
    /// <param name="OwnedBy">The provider's slug.</param>
    /// <param name="ShutdownDate">When a deprecated model ends (ISO 8601); not there otherwise.</param>
    internal sealed record Model(
        string Id,
        string Object,
        long Created,
        string OwnedBy,
        [property: System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? ShutdownDate);

    /// <param name="Object">Always <c>list</c>.</param>
    /// <param name="Data">All of them, by name.</param>
    internal sealed record Response(string Object, IReadOnlyList<Model> Data);

    public static Task HandleAsync(HttpContext http, KeyCheck keys, Catalogue catalogue, TimeProvider time)
    {
        CallAnswers.SetRequestId(http, Guid.CreateVersion7(time.GetUtcNow()));
        var (key, organisation, refusal) = keys.Check(http.Request);
        if (refusal is not null)
        {
            return CallAnswers.RefuseAsync(http, refusal);
        }

        var snapshot = catalogue.Current;
        var models = snapshot.Listings.Values
            .Select(listing => Resolve.Version(snapshot, organisation!, key!.Scopes, new ModelName(listing.Name, null)).Version)
            .OfType<ListedVersion>()
            .OrderBy(version => version.Listing.Name, StringComparer.Ordinal)
            .Select(version => Of(version, version.Listing.Name));
        return CallAnswers.WriteJsonAsync(http, new Response("list", [.. models]));
    }

    public static Task HandleOneAsync(HttpContext http, [Description("As `/v1/models` lists it, with `@version` to hold on to one.")] string id, KeyCheck keys, Catalogue catalogue, TimeProvider time)
    {
        CallAnswers.SetRequestId(http, Guid.CreateVersion7(time.GetUtcNow()));
        var (key, organisation, refusal) = keys.Check(http.Request);
        if (refusal is not null)
        {
            return CallAnswers.RefuseAsync(http, refusal);
        }

        return ModelName.TryParse(id, out var name) && Resolve.Version(catalogue.Current, organisation!, key!.Scopes, name).Version is { } version
            ? CallAnswers.WriteJsonAsync(http, Of(version, name.ToString()))
            : CallAnswers.RefuseAsync(http, new CallRefusal(CallFailure.ModelNotFound, Param: "model"));
    }

    private static Model Of(ListedVersion version, string id) => new(id, "model", version.Listing.CreatedAt.ToUnixTimeSeconds(), version.Listing.Provider, version.SunsetAt);
}
