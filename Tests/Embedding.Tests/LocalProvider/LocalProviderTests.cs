using System.ClientModel;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using LlmMarketplace.LocalProvider;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using OpenAI;
using OpenAI.Embeddings;

namespace LlmMarketplace.Embedding.Tests.LocalProvider;

public sealed class LocalProviderTests : IAsyncLifetime
{
    private const string Key = "a-key-for-this-test-only";
    private readonly Golden golden = Golden.Load();
    private readonly WebApplication app = App(Key);
    private readonly HttpClient http = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await app.StartAsync(Token);
        http.BaseAddress = new Uri(app.Urls.Single());
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await app.DisposeAsync();
    }

    [Fact]
    public async Task The_unchanged_client_of_openai_gets_the_golden_vectors_and_their_usage()
    {
        var client = new EmbeddingClient("all-MiniLM-L6-v2", new ApiKeyCredential(Key), new OpenAIClientOptions { Endpoint = new Uri(http.BaseAddress!, "/v1") });
        var result = (await client.GenerateEmbeddingsAsync(golden.Items.Select(i => i.Text), cancellationToken: Token)).Value;
        Assert.Equal(golden.Items.Count, result.Count);
        Assert.Equal(golden.Items.Sum(i => i.InputIds.Length), result.Usage.InputTokenCount);
        foreach (var (item, embedding) in golden.Items.Zip(result))
        {
            Assert.All(item.Embedding.Zip(embedding.ToFloats().ToArray()), p => Assert.Equal(p.First, p.Second, golden.Tolerance));
        }
    }

    [Fact]
    public async Task One_text_is_answered_in_floats_unless_base64_is_asked_for()
    {
        var floats = await Post(new { model = "all-MiniLM-L6-v2", input = golden.Items[0].Text, dimensions = 384, user = "anyone" });
        Assert.Equal("list", floats.GetProperty("object").GetString());
        Assert.Equal("all-MiniLM-L6-v2", floats.GetProperty("model").GetString());
        Assert.Equal((15, 15), (floats.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), floats.GetProperty("usage").GetProperty("total_tokens").GetInt32()));
        var item = Assert.Single(floats.GetProperty("data").EnumerateArray());
        Assert.Equal(("embedding", 0), (item.GetProperty("object").GetString(), item.GetProperty("index").GetInt32()));
        var vector = item.GetProperty("embedding").EnumerateArray().Select(e => e.GetSingle()).ToArray();
        Assert.Equal(384, vector.Length);

        var base64 = await Post(new { model = "all-MiniLM-L6-v2", input = new[] { golden.Items[0].Text }, encoding_format = "base64" });
        var bytes = Convert.FromBase64String(base64.GetProperty("data")[0].GetProperty("embedding").GetString()!);
        Assert.Equal(vector, Enumerable.Range(0, 384).Select(i => BitConverter.ToSingle(bytes, i * 4)));
    }

    [Theory]
    [InlineData("""{"input":"x"}""", 400, "model", null)]
    [InlineData("""{"model":"gpt-9","input":"x"}""", 404, "model", "model_not_found")]
    [InlineData("""{"model":"all-MiniLM-L6-v2"}""", 400, "input", null)]
    [InlineData("""{"model":"all-MiniLM-L6-v2","input":""}""", 400, "input", null)]
    [InlineData("""{"model":"all-MiniLM-L6-v2","input":[]}""", 400, "input", null)]
    [InlineData("""{"model":"all-MiniLM-L6-v2","input":[101,1037,102]}""", 400, "input", null)]
    [InlineData("""{"model":"all-MiniLM-L6-v2","input":[[101,102]]}""", 400, "input", null)]
    [InlineData("""{"model":"all-MiniLM-L6-v2","input":["x",1]}""", 400, "input", null)]
    [InlineData("""{"model":"all-MiniLM-L6-v2","input":{"text":"x"}}""", 400, "input", null)]
    [InlineData("""{"model":"all-MiniLM-L6-v2","input":"x","dimensions":256}""", 400, "dimensions", null)]
    [InlineData("""{"model":"all-MiniLM-L6-v2","input":"x","encoding_format":"int8"}""", 400, "encoding_format", null)]
    [InlineData("""{"model":"all-MiniLM-L6-v2","input":"x","dimensions":"many"}""", 400, null, null)]
    [InlineData("""{"model":""", 400, null, null)]
    [InlineData("null", 400, null, null)]
    public async Task A_request_that_makes_no_sense_is_refused_and_names_the_field(string body, int status, string? param, string? code)
    {
        using var content = new StringContent(body, MediaTypeHeaderValue.Parse("application/json"));
        await AssertError(await http.PostAsync("/v1/embeddings", content, Token), status, param, code);
    }

    [Fact]
    public async Task Too_many_too_long_and_too_large_are_refused()
    {
        await AssertError(await Send(new { model = "all-MiniLM-L6-v2", input = Enumerable.Repeat("x", 257) }), 400, "input", null);
        await AssertError(await Send(new { model = "all-MiniLM-L6-v2", input = new[] { "short", string.Concat(Enumerable.Repeat("word ", 255)) } }), 400, "input", "context_length_exceeded");
        await AssertError(await Send(new { model = "all-MiniLM-L6-v2", input = new string('x', 1024 * 1024) }), 413, null, "request_too_large");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer another-key-of-the-test")]
    [InlineData("Bearer a-key-for-this-test-onl")]
    [InlineData("Basic a-key-for-this-test-only")]
    public async Task Without_the_right_key_nothing_under_v1_answers(string? header)
    {
        foreach (var (method, path) in new[] { (HttpMethod.Post, "/v1/embeddings"), (HttpMethod.Get, "/v1/models"), (HttpMethod.Get, "/v1/models/all-MiniLM-L6-v2") })
        {
            using var bare = new HttpClient { BaseAddress = http.BaseAddress };
            using var request = new HttpRequestMessage(method, path);
            if (header is not null)
            {
                request.Headers.TryAddWithoutValidation("Authorization", header);
            }

            await AssertError(await bare.SendAsync(request, Token), 401, null, "invalid_api_key");
        }
    }

    [Fact]
    public async Task Models_health_and_unknown_addresses_answer_as_documented()
    {
        var models = await http.GetFromJsonAsync<JsonElement>("/v1/models", Token);
        Assert.Equal("all-MiniLM-L6-v2", Assert.Single(models.GetProperty("data").EnumerateArray()).GetProperty("id").GetString());
        Assert.Equal("model", (await http.GetFromJsonAsync<JsonElement>("/v1/models/all-MiniLM-L6-v2", Token)).GetProperty("object").GetString());
        await AssertError(await http.GetAsync("/v1/models/other", Token), 404, "model", "model_not_found");
        await AssertError(await http.GetAsync("/v1/chat/completions", Token), 404, null, "unknown_url");
        await AssertError(await http.GetAsync("/v1/embeddings", Token), 405, null, "unknown_url");
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/health", Token)).StatusCode);
    }

    [Fact]
    public async Task The_openapi_document_names_exactly_what_is_served()
    {
        var document = await http.GetFromJsonAsync<JsonElement>("/openapi.json", Token);
        Assert.Equal("3.1.0", document.GetProperty("openapi").GetString());
        var documented = document.GetProperty("paths").EnumerateObject().SelectMany(p => p.Value.EnumerateObject().Select(o => $"{o.Name.ToUpperInvariant()} {p.Name}"));
        var served = app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.RoutePattern.RawText!.StartsWith("/v1", StringComparison.Ordinal))
            .SelectMany(e => e.Metadata.GetRequiredMetadata<HttpMethodMetadata>().HttpMethods.Select(m => $"{m} {e.RoutePattern.RawText}"));
        Assert.Equal(served.Order(), documented.Order());
    }

    [Theory]
    [InlineData("", "missing")]
    [InlineData("short", "shorter than 16")]
    public async Task A_provider_without_a_proper_key_does_not_start(string key, string reason)
    {
        await using var app = App(key);
        var e = await Assert.ThrowsAsync<OptionsValidationException>(() => app.StartAsync(Token));
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
    }

    private static WebApplication App(string key)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        return LocalProviderApp.Build(builder, o => o.ApiKey = key);
    }

    private Task<HttpResponseMessage> Send(object body) => http.PostAsJsonAsync("/v1/embeddings", body, Token);

    private async Task<JsonElement> Post(object body)
    {
        using var response = await Send(body);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadFromJsonAsync<JsonElement>(Token);
    }

    private static async Task AssertError(HttpResponseMessage response, int status, string? param, string? code)
    {
        using (response)
        {
            var body = await response.Content.ReadAsStringAsync(Token);
            Assert.True(status == (int)response.StatusCode, $"{response.StatusCode}: {body}");
            var error = JsonDocument.Parse(body).RootElement.GetProperty("error");
            Assert.NotEmpty(error.GetProperty("message").GetString()!);
            Assert.NotEmpty(error.GetProperty("type").GetString()!);
            Assert.Equal((param, code), (error.GetProperty("param").GetString(), error.GetProperty("code").GetString()));
        }
    }
}
