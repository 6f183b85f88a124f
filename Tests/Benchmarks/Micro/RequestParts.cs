using System.Text;
using BenchmarkDotNet.Attributes;
using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Translation;

namespace LlmMarketplace.Benchmarks.Micro;

/// <summary>What a request passes before it is forwarded.</summary>
public class RequestParts
{
    private const string Small =
        """{"model":"bench/chat","stream":true,"max_tokens":100,"messages":[{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":"Say something in twenty words."}]}""";

    private readonly byte[] small = Encoding.UTF8.GetBytes(Small);
    private readonly byte[] large = Encoding.UTF8.GetBytes(Small.Replace("Say something in twenty words.", string.Concat(Enumerable.Repeat("Lorem ipsum dolor sit amet, \\\"consectetur\\\" adipiscing elit.\\n", 500)), StringComparison.Ordinal));
    private readonly KeyRing keys = new();
    private readonly ApiKeyHasher hasher = new(new byte[32]);
    private string bearer = "";
    private CallRequest request = null!;

    /// <summary>Makes a thousand keys.</summary>
    [GlobalSetup]
    public void SetUp()
    {
        var made = Enumerable.Range(0, 1_000).Select(_ => ApiKey.Create()).ToList();
        keys.Apply(made.Select(key => new Key(
            Guid.CreateVersion7(), key.Identifier, hasher.Hash(key), null, null, Guid.CreateVersion7(), "bench", null, null, null, KeyScopes.All, KeyLimits.None, null, 1)));
        bearer = made[500].Text;
        request = ReadCallRequest.Read(Surface.ChatCompletions, small, 64).Request!;
    }

    [Benchmark(Description = "Key: parse, find, prove (ApiKey, KeyRing, ApiKeyHasher)")]
    public bool Key() => ApiKey.TryParse(bearer, out var given) && keys.Find(given.Identifier) is { } key && hasher.Proves(given, key.Hash);

    [Benchmark(Description = "Request of 190 bytes: read (ReadCallRequest)")]
    public bool ReadSmall() => ReadCallRequest.Read(Surface.ChatCompletions, small, 64).Request is not null;

    [Benchmark(Description = "Request of 32 KB: read (ReadCallRequest)")]
    public bool ReadLarge() => ReadCallRequest.Read(Surface.ChatCompletions, large, 64).Request is not null;

    [Benchmark(Description = "Request of 190 bytes: edited and sent (EditedBody)")]
    public long Edit()
    {
        using var body = EditedBody.Of(Surface.ChatCompletions, small, request, "bench", null);
        body.CopyTo(Stream.Null, null, CancellationToken.None);
        return body.Headers.ContentLength ?? 0;
    }

    [Benchmark(Description = "Request of 190 bytes: Chat to Messages (ChatRequestToMessages)")]
    public int Translate() => Translators.Request(Dialect.Chat, Dialect.Messages, small, new TranslationOptions("bench", 100)).Body.Length;
}
