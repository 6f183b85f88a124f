using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Catalogue;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.Extensions.Options;
using Npgsql;

namespace LlmMarketplace.Consumption.Invoking;

/// <summary>
/// Reads a call of a <c>rest</c> service and holds it to the OpenAPI document of the version that it means: nothing is reserved, and nothing sent, before all of it is right. What is
/// wrong is said all at once, each with a JSON Pointer into the caller's body.
/// </summary>
internal sealed class ReadInvocation(Catalogue.Catalogue catalogue, RestApis apis, IOptions<CallOptions> options)
{
    private const int MostIssues = 100;
    private const int MostInDetail = 5;

    /// <summary>Reads the body of a call whose key is known.</summary>
    public async Task<CallRefusal?> ReadAsync(Call call, string id)
    {
        var snapshot = catalogue.Current;
        if (!Guid.TryParse(id, out var listingId) || snapshot.Find(listingId) is not { } listing)
        {
            return new CallRefusal(CallFailure.ServiceNotFound);
        }

        JsonDocument document;
        try
        {
            document = Utf8.IsValid(call.Body!.Bytes.Span)
                ? JsonDocument.Parse(call.Body.Bytes, new JsonDocumentOptions { MaxDepth = options.Value.MaxDepth, AllowDuplicateProperties = false })
                : throw new JsonException("It is not UTF-8.");
        }
        catch (JsonException broken)
        {
            return new CallRefusal(CallFailure.InvalidBody, $"The body is not JSON as it should be: {broken.Message}");
        }

        using (document)
        {
            try
            {
                return await ReadAsync(call, snapshot, listing, document.RootElement);
            }
            catch (Exception away) when (away is NpgsqlException or TimeoutException)
            {
                return new CallRefusal(CallFailure.NotReady, RetryAfter: TimeSpan.FromSeconds(1));
            }
            catch (InvalidOperationException broken)
            {
                return new CallRefusal(CallFailure.InvalidBody, $"The body is not JSON as it should be: {broken.Message}"); // A string that escapes half of a surrogate pair.
            }
        }
    }

    private async Task<CallRefusal?> ReadAsync(Call call, CatalogueSnapshot snapshot, Listing listing, JsonElement body)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            return new CallRefusal(CallFailure.InvalidBody);
        }

        var range = RestApi.Text(RestApi.Member(body, "version"));
        var name = new ModelName(listing.Name, range);
        var (version, verdict, _) = Resolve.Version(snapshot, call.Organisation!, call.Key!.Scopes, name);
        if (version is null)
        {
            call.Request = new CallRequest { Model = name.ToString(), ModelValue = default };
            return verdict == ResolutionVerdict.NotFound ? new CallRefusal(CallFailure.ServiceNotFound) : null; // The plan says why.
        }

        if (version.Specification.Endpoint.Protocol != EndpointProtocol.Rest)
        {
            return new CallRefusal(CallFailure.UnsupportedOperation, $"`{listing.Name}` is no service of the protocol rest: it is not called here.");
        }

        if (await apis.FindAsync(version, call.Left) is not { } api)
        {
            return new CallRefusal(CallFailure.NotReady, "The service's OpenAPI document has not arrived yet.", RetryAfter: TimeSpan.FromSeconds(1));
        }

        var issues = new List<Issue>();
        var operation = RequestedOperation.Find(api, body, issues);
        if (operation is null)
        {
            return Invalid(issues);
        }

        if (operation.Gap is { } gap)
        {
            return new CallRefusal(CallFailure.UnsupportedOperation, $"`{operation}` cannot be called through the marketplace: {gap}.");
        }

        try
        {
            var request = new WriteRequest(operation, body, issues);
            var (path, headers) = request.Write();
            var sent = request.Body();
            if (issues.Count > 0)
            {
                return Invalid(issues);
            }

            call.Request = new CallRequest
            {
                Model = $"{listing.Name}@{version.Number}",
                ModelValue = default,
                Invocation = new Invocation(listing.Id, new HttpMethod(operation.Method), path, headers, sent is { } at ? Slice(call.Body!, at) : null, sent is null ? null : operation.MediaType),
            };
            return null;
        }
        catch (SchemaTooCostlyException)
        {
            return new CallRefusal(CallFailure.UnsupportedOperation, $"`{operation}` cannot be called with this: to check it by the service's schema would take too long.");
        }
    }

    private static CallRefusal Invalid(List<Issue> issues) =>
        new(CallFailure.InvalidInvocation, string.Join(' ', issues.Take(MostInDetail).Select(issue => $"{issue.Path}: {issue.Message}"))) { Issues = [.. issues.Take(MostIssues)] };

    /// <summary>Where a value stands in the caller's body.</summary>
    private static ReadOnlyMemory<byte> Slice(RequestBody body, JsonElement value)
    {
        var raw = JsonMarshal.GetRawUtf8Value(value);
        return body.Bytes.Span.Overlaps(raw, out var at) ? body.Bytes.Slice(at, raw.Length) : raw.ToArray();
    }
}
