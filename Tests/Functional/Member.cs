using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmMarketplace.Functional;

/// <summary>A machine client that gets itself tokens.</summary>
public sealed class Member(Uri address, string id, string secret)
{
    private (string Token, DateTime Until)? token;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public string Id => id;

    public string Secret => secret;

    public async Task<Answer> GetAsync(string path) => await SendAsync(HttpMethod.Get, path, null);

    public async Task<Answer> PostAsync(string path, JsonNode? body = null) => await SendAsync(HttpMethod.Post, path, body);

    public async Task<Answer> PutAsync(string path, JsonNode? body = null) => await SendAsync(HttpMethod.Put, path, body);

    public async Task<Answer> DeleteAsync(string path) => await SendAsync(HttpMethod.Delete, path, null);

    public async Task<string> TokenAsync()
    {
        if (token is { } kept && kept.Until > DateTime.UtcNow)
        {
            return kept.Token;
        }

        using var form = new FormUrlEncodedContent(new Dictionary<string, string> { ["grant_type"] = "client_credentials", ["client_id"] = id, ["client_secret"] = secret, ["scope"] = "marketplace" });
        using var answer = await Answer.Client.PostAsync(new Uri(address, "connect/token"), form, Cancellation);
        var text = await answer.Content.ReadAsStringAsync(Cancellation);
        if (!answer.IsSuccessStatusCode)
        {
            throw new InvalidOperationException($"{id} got no token: {(int)answer.StatusCode} {text}");
        }

        var body = JsonNode.Parse(text)!;
        token = ((string)body["access_token"]!, DateTime.UtcNow.AddSeconds((int)body["expires_in"]! - 60));
        return token.Value.Token;
    }

    private async Task<Answer> SendAsync(HttpMethod method, string path, JsonNode? body) => await Answer.SendAsync(address, method, path, await TokenAsync(), body, Cancellation);
}

/// <summary>What came back.</summary>
public sealed record Answer(HttpStatusCode Status, JsonNode? Body, string Text, HttpResponseHeaders Headers)
{
    /// <summary>Connections enough for a thousand calls at once.</summary>
    internal static HttpClient Client { get; } = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, MaxConnectionsPerServer = 2_000 }) { Timeout = TimeSpan.FromMinutes(2) };

    public string RequestId => Headers.GetValues("x-request-id").Single();

    /// <summary>The code of OpenAI's error shape.</summary>
    public string? ErrorCode => (string?)Body?["error"]?["code"];

    public static async Task<Answer> SendAsync(Uri address, HttpMethod method, string path, string bearer, JsonNode? body, CancellationToken cancellation, string? idempotencyKey = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(address, path));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", bearer);
        if (idempotencyKey is not null)
        {
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        }

        if (body is not null)
        {
            request.Content = new StringContent(body.ToJsonString(), System.Text.Encoding.UTF8, "application/json");
        }

        using var answer = await Client.SendAsync(request, cancellation);
        var text = await answer.Content.ReadAsStringAsync(cancellation);
        return new Answer(answer.StatusCode, Parse(text), text, answer.Headers);
    }

    /// <summary>The body of an answer that must be a success.</summary>
    public JsonNode Expect()
    {
        Assert.True((int)Status is >= 200 and < 300, $"{(int)Status}: {Text}");
        return Body ?? new JsonObject();
    }

    private static JsonNode? Parse(string text)
    {
        try
        {
            return text.Length == 0 ? null : JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
