using LlmMarketplace.Consumption.Calls;
using Microsoft.Extensions.Primitives;
using Npgsql;

namespace LlmMarketplace.Consumption.StoredResponses;

/// <summary>
/// Binds calls to responses that are stored: those that ask for one (<c>GET /v1/responses/{id}</c> …), and those that go on from one (<c>previous_response_id</c>). They go to the
/// address that keeps it; an id that is another organisation's is one that does not exist.
/// </summary>
internal sealed class ReadStoredCall(KeepResponses responses, Catalogue.Catalogue catalogue)
{
    /// <summary>Reads a call that asks for a stored response.</summary>
    public async Task<CallRefusal?> ReadAsync(Call call, string id)
    {
        if (call.Http.Request.Query["stream"] is { Count: > 0 } stream && stream != "false")
        {
            return new CallRefusal(CallFailure.InvalidField, "A stored response is answered whole: its events are not kept.", "stream");
        }

        var (kept, refusal) = await FindAsync(call, id, new CallRefusal(CallFailure.ResponseNotFound, $"Response with id '{Short(id)}' not found."));
        if (kept is null)
        {
            return refusal;
        }

        var listing = catalogue.Current.Find(kept.ListingId);
        if (listing?.Versions.FirstOrDefault(one => one.Id == kept.VersionId) is not { } version)
        {
            return new CallRefusal(CallFailure.ResponseNotFound, $"Response with id '{Short(id)}' not found.");
        }

        call.Kept = kept;
        call.Request = new CallRequest { Model = $"{listing.Name}@{version.Number}", ModelValue = default };
        return null;
    }

    /// <summary>Binds a call that goes on from a stored response, if it does.</summary>
    public async Task<CallRefusal?> BindAsync(Call call)
    {
        if (call.Request?.PreviousResponseId is not { } id)
        {
            return null;
        }

        (call.Kept, var refusal) = await FindAsync(call, id, new CallRefusal(CallFailure.PreviousResponseNotFound, $"Previous response with id '{Short(id)}' not found.", "previous_response_id"));
        return refusal;
    }

    /// <summary>Path and query of a stored response at its provider.</summary>
    public static string Path(Call call, string? apiVersion)
    {
        var query = call.Http.Request.Query
            .Where(pair => pair.Key is not ("api-version" or "stream"))
            .SelectMany(pair => pair.Value.Select(value => KeyValuePair.Create(pair.Key, value)))
            .Concat(apiVersion is null ? [] : [KeyValuePair.Create("api-version", (string?)apiVersion)]);
        var path = call.Surface.Path.Replace("{id}", call.Kept!.ResponseId, StringComparison.Ordinal);
        return path + Microsoft.AspNetCore.Http.QueryString.Create(query.Select(pair => KeyValuePair.Create(pair.Key, new StringValues(pair.Value))));
    }

    private async Task<(StoredResponse? Kept, CallRefusal? Refusal)> FindAsync(Call call, string id, CallRefusal otherwise)
    {
        try
        {
            var kept = await responses.FindAsync(call.Organisation!.Id, id, call.Left);
            return kept is null ? (null, otherwise) : (kept, null);
        }
        catch (Exception away) when (away is NpgsqlException or TimeoutException)
        {
            return (null, new CallRefusal(CallFailure.NotReady, RetryAfter: TimeSpan.FromSeconds(1)));
        }
    }

    private static string Short(string id) => id.Length > 100 ? id[..100] + "…" : id;
}
