using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace LlmMarketplace.Benchmarks.Faults;

/// <summary>A key of a cell's own, with a budget.</summary>
internal sealed record CellKey(Guid Id, string Text);

/// <summary>What the key's counters say.</summary>
/// <param name="Spent">Spent and reserved.</param>
/// <param name="OpenCalls">Calls open.</param>
internal sealed record Standing(decimal Spent, long OpenCalls);

/// <summary>Who calls: a client of the consumer's organisation, at the public address.</summary>
/// <param name="address">The public address.</param>
/// <param name="bootstrapSecret">Of the administrator's client <c>bootstrap</c>.</param>
/// <param name="slug">The organisation's.</param>
internal sealed class Consumer(Uri address, string bootstrapSecret, string slug = "faults-consumer") : IDisposable
{
    private readonly HttpClient http = new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = address, Timeout = TimeSpan.FromSeconds(20) };
    private (string Id, string Secret)? client;

    public async Task<CellKey> CreateKeyAsync(string name, CancellationToken cancellation)
    {
        client ??= await MemberAsync(cancellation);
        var token = await TokenAsync(client.Value.Id, client.Value.Secret, cancellation);
        var made = await SendAsync(HttpMethod.Post, "api/v1/keys", token, new JsonObject { ["name"] = name, ["budget"] = new JsonObject { ["amount"] = 1_000, ["currency"] = "USD", ["period"] = "total" } }, cancellation);
        return new CellKey(Guid.Parse((string)made["id"]!), (string)made["key"]!);
    }

    /// <summary>What Redis holds of the key now; null when it cannot be told.</summary>
    public async Task<Standing?> StandingAsync(CellKey key, CancellationToken cancellation)
    {
        try
        {
            var shown = (await SendAsync(HttpMethod.Get, "v1/key", key.Text, null, cancellation))["key"]!;
            return new Standing((decimal)shown["budget"]!["spent"]!, (long)shown["open_calls"]!);
        }
        catch (Exception away) when (away is HttpRequestException or TaskCanceledException && !cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>The records of the key's calls, newest first.</summary>
    public async Task<IReadOnlyList<JsonNode>> RecordsAsync(CellKey key, CancellationToken cancellation)
    {
        var records = new List<JsonNode>();
        for (string? cursor = null; ;)
        {
            var page = await SendAsync(HttpMethod.Get, $"api/v1/usage/records?limit=100{(cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}", key.Text, null, cancellation);
            records.AddRange(page["items"]!.AsArray().Select(item => item!));
            if ((cursor = (string?)page["nextCursor"]) is null)
            {
                return records;
            }
        }
    }

    public void Dispose() => http.Dispose();

    private async Task<(string Id, string Secret)> MemberAsync(CancellationToken cancellation)
    {
        var token = await TokenAsync("bootstrap", bootstrapSecret, cancellation);
        var organisation = (await SendAsync(HttpMethod.Get, $"api/v1/organisations?slug={slug}", token, null, cancellation))["items"]![0]!["id"]!;
        var made = await SendAsync(
            HttpMethod.Post, "api/v1/clients", token, new JsonObject { ["name"] = "benchmark", ["organisationId"] = organisation.DeepClone(), ["roles"] = new JsonArray("consumer") }, cancellation);
        return ((string)made["client"]!["id"]!, (string)made["secret"]!);
    }

    private async Task<string> TokenAsync(string id, string secret, CancellationToken cancellation)
    {
        using var form = new FormUrlEncodedContent(new Dictionary<string, string> { ["grant_type"] = "client_credentials", ["client_id"] = id, ["client_secret"] = secret, ["scope"] = "marketplace" });
        using var answer = await http.PostAsync("connect/token", form, cancellation);
        return (string)(await JsonAsync(answer, cancellation))["access_token"]!;
    }

    private async Task<JsonNode> SendAsync(HttpMethod method, string path, string bearer, JsonNode? body, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", bearer);
        using var answer = await http.SendAsync(request, cancellation);
        return await JsonAsync(answer, cancellation);
    }

    private static async Task<JsonNode> JsonAsync(HttpResponseMessage answer, CancellationToken cancellation)
    {
        var text = await answer.Content.ReadAsStringAsync(cancellation);
        return answer.IsSuccessStatusCode
            ? JsonNode.Parse(text)!
            : throw new HttpRequestException(string.Create(CultureInfo.InvariantCulture, $"{answer.RequestMessage!.RequestUri} answered {(int)answer.StatusCode}: {text}"), null, answer.StatusCode);
    }
}
