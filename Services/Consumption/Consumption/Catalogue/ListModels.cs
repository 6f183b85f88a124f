using System.ComponentModel;
using LlmMarketplace.Consumption.Aliases;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Keys;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary><c>GET /v1/models</c> and <c>GET /v1/models/{id}</c>: what this key may call, as OpenAI says it, or as Anthropic does to its own clients.</summary>
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

    /// <summary>As Anthropic lists models; all in one page.</summary>
    /// <param name="Data">All of them, by name.</param>
    /// <param name="HasMore">Always false.</param>
    /// <param name="FirstId">The first one's name; null when there is none.</param>
    /// <param name="LastId">The last one's name; null when there is none.</param>
    internal sealed record AnthropicResponse(IReadOnlyList<AnthropicModel> Data, bool HasMore, string? FirstId, string? LastId);

    /// <param name="Type">Always <c>model</c>.</param>
    /// <param name="Id">What calls name.</param>
    /// <param name="DisplayName">The same.</param>
    /// <param name="CreatedAt">When its listing was made.</param>
    internal sealed record AnthropicModel(string Type, string Id, string DisplayName, DateTimeOffset CreatedAt);

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
        Model[] all = [.. models, .. aliases];
        return Surface.IsAnthropic(http.Request)
            ? CallAnswers.WriteJsonAsync(http, new AnthropicResponse([.. all.Select(AsAnthropic)], false, all.FirstOrDefault()?.Id, all.LastOrDefault()?.Id))
            : CallAnswers.WriteJsonAsync(http, new Response("list", all));
    }

    public static Task HandleOneAsync(HttpContext http, [Description("As `/v1/models` lists it, with `@version` to hold on to one.")] string id, KeyCheck keys, Catalogue catalogue, TimeProvider time)
    {
        CallAnswers.SetRequestId(http, Guid.CreateVersion7(time.GetUtcNow()));
        var (key, organisation, refusal) = keys.Check(http.Request);
        if (refusal is not null)
        {
            return CallAnswers.RefuseAsync(http, refusal);
        }

        id = id.Replace("%2F", "/", StringComparison.OrdinalIgnoreCase); // Most clients escape the slash, and servers leave that one as it is.
        var snapshot = catalogue.Current;
        if (snapshot.Aliases.TryGetValue(organisation!.Id, out var own) && own.TryGetValue(id, out var alias))
        {
            return Of(snapshot, organisation, key!, alias) is { } model ? WriteAsync(http, model) : CallAnswers.RefuseAsync(http, new CallRefusal(CallFailure.ModelNotFound, Param: "model"));
        }

        return ModelName.TryParse(id, out var name) && Resolve.Version(snapshot, organisation, key!.Scopes, name).Version is { } version
            ? WriteAsync(http, Of(version, name.ToString()))
            : CallAnswers.RefuseAsync(http, new CallRefusal(CallFailure.ModelNotFound, Param: "model"));
    }

    private static Task WriteAsync(HttpContext http, Model model) =>
        Surface.IsAnthropic(http.Request) ? CallAnswers.WriteJsonAsync(http, AsAnthropic(model)) : CallAnswers.WriteJsonAsync(http, model);

    private static AnthropicModel AsAnthropic(Model model) => new("model", model.Id, model.Id, DateTimeOffset.FromUnixTimeSeconds(model.Created));

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
