using System.ComponentModel;
using LlmMarketplace.Consumption.Aliases;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Keys;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary><c>GET /v1/models</c> and <c>GET /v1/models/{id}</c>: what this key may call.</summary>
internal static class ListModels
{
    /// <param name="Id">What calls name: <c>provider/service</c>, or an alias of the key's organisation.</param>
    /// <param name="Object">Always <c>model</c>.</param>
    /// <param name="Created">Unix seconds.</param>
    /// <param name="OwnedBy">The provider's slug.</param>
    /// <param name="ShutdownDate">When a deprecated model ends (ISO 8601); not there otherwise.</param>
    /// <param name="AliasOf">What an alias stands for; not there otherwise.</param>
    internal sealed record Model(
        string Id,
        string Object,
        long Created,
        string OwnedBy,
        [property: System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? ShutdownDate,
        [property: System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)] string? AliasOf = null);

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
        var aliases = snapshot.Aliases.TryGetValue(organisation!.Id, out var own)
            ? own.Values.OrderBy(alias => alias.Name, StringComparer.Ordinal).Select(alias => Of(snapshot, organisation, key!, alias)).OfType<Model>()
            : [];
        return CallAnswers.WriteJsonAsync(http, new Response("list", [.. models, .. aliases]));
    }

    public static Task HandleOneAsync(HttpContext http, [Description("As `/v1/models` lists it, with `@version` to hold on to one.")] string id, KeyCheck keys, Catalogue catalogue, TimeProvider time)
    {
        CallAnswers.SetRequestId(http, Guid.CreateVersion7(time.GetUtcNow()));
        var (key, organisation, refusal) = keys.Check(http.Request);
        if (refusal is not null)
        {
            return CallAnswers.RefuseAsync(http, refusal);
        }

        var snapshot = catalogue.Current;
        if (snapshot.Aliases.TryGetValue(organisation!.Id, out var own) && own.TryGetValue(id, out var alias))
        {
            return Of(snapshot, organisation, key!, alias) is { } model ? CallAnswers.WriteJsonAsync(http, model) : CallAnswers.RefuseAsync(http, new CallRefusal(CallFailure.ModelNotFound, Param: "model"));
        }

        return ModelName.TryParse(id, out var name) && Resolve.Version(snapshot, organisation, key!.Scopes, name).Version is { } version
            ? CallAnswers.WriteJsonAsync(http, Of(version, name.ToString()))
            : CallAnswers.RefuseAsync(http, new CallRefusal(CallFailure.ModelNotFound, Param: "model"));
    }

    /// <summary>An alias as a model; null when the key may call nothing that it stands for.</summary>
    private static Model? Of(CatalogueSnapshot snapshot, Organisation organisation, Key key, Alias alias)
    {
        if (!Preference.TryParse(alias.Target, out var preference))
        {
            return ModelName.TryParse(alias.Target, out var name) && Resolve.Version(snapshot, organisation, key.Scopes, name).Version is { } version
                ? Of(version, alias.Name) with { AliasOf = alias.Target }
                : null;
        }

        return snapshot.Listings.Values.Any(listing =>
            Resolve.Version(snapshot, organisation, key.Scopes, new ModelName(listing.Name, null)).Version is { } one && (preference.Category is null || one.Specification.Category == preference.Category))
            ? new Model(alias.Name, "model", alias.ChangedAt.ToUnixTimeSeconds(), organisation.Slug, null, alias.Target)
            : null;
    }

    private static Model Of(ListedVersion version, string id) => new(id, "model", version.Listing.CreatedAt.ToUnixTimeSeconds(), version.Listing.Provider, version.SunsetAt);
}
