using System.Buffers.Binary;
using System.Text.Json.Nodes;
using LlmMarketplace.Embedded;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Functional.Clients;

/// <summary>The Python packages <c>openai</c> and <c>anthropic</c>.</summary>
public sealed class PythonStories(SharedMarketplace shared) : Stories(shared)
{
    private static readonly string Folder = Path.Combine(RepositoryRoot.Path, "Tests", "Functional", "Clients", "Python");
    private static readonly string Packages = Path.Combine(Folder, "packages");

    protected override string? WhyNot() =>
        Programs.Find("python3") is null ? "The Python clients need python3, which is not installed."
        : Directory.Exists(Path.Combine(Packages, "anthropic")) ? null
        : "The Python packages openai and anthropic are not installed: ./test does so from ../shared/clients/python where that is there, for CPython 3.11.";

    protected override ProcessArguments Program => new("python3", Path.Combine(Folder, "stories.py"), new Dictionary<string, string?> { ["PYTHONPATH"] = Packages });
}

/// <summary>The npm packages <c>openai</c> and <c>@anthropic-ai/sdk</c>, in the versions that package-lock.json names.</summary>
public sealed class JavaScriptStories(SharedMarketplace shared) : Stories(shared)
{
    private static readonly string Folder = Path.Combine(RepositoryRoot.Path, "Tests", "Functional", "Clients", "JavaScript");

    protected override string? WhyNot() =>
        Programs.Find("node") is null ? "The npm clients need node, which is not installed."
        : Directory.Exists(Path.Combine(Folder, "node_modules", "@anthropic-ai", "sdk")) ? null
        : "The npm packages openai and @anthropic-ai/sdk are not installed: ./test does so where npm can be had, or 'npm ci' in Tests/Functional/Clients/JavaScript.";

    protected override ProcessArguments Program => new("node", Path.Combine(Folder, "stories.mjs"), new Dictionary<string, string?>());
}

/// <summary>What is run.</summary>
public sealed record ProcessArguments(string Name, string Script, IReadOnlyDictionary<string, string?> Environment);

/// <summary>All that a language's clients did in one run, each story by its name, at services of all kinds of provider that improvise.</summary>
public abstract class Stories(SharedMarketplace shared) : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);
    private JsonNode? told;

    /// <summary>The marketplace.</summary>
    public Market Market { get; private set; } = null!;

    /// <summary>Whose key it was.</summary>
    public Member Consumer { get; private set; } = null!;

    /// <summary>What all calls were made with.</summary>
    public Key Key { get; private set; } = null!;

    protected abstract ProcessArguments Program { get; }

    public async ValueTask InitializeAsync()
    {
        if (WhyNot() is not null)
        {
            return;
        }

        Market = await shared.MarketAsync();
        var provider = await shared.ModelAsync();
        var improvised = new ImprovisedProvider();
        var names = new[] { "chat", "messages", "gemini", "converse", "all", "speech", "endless", "flaky" }.ToDictionary(kind => kind, Market.Unique);
        provider.Serve(names["chat"], Improviser.ChatAsync);
        provider.Serve(names["messages"], Improviser.MessagesAsync);
        provider.Serve(names["gemini"], Improviser.GeminiAsync);
        provider.Serve(names["converse"], Improviser.ConverseAsync);
        provider.Serve(names["all"], improvised.EverythingAsync);
        provider.Serve(names["speech"], improvised.EverythingAsync);
        provider.Serve(names["endless"], ImprovisedProvider.EndlessAsync);
        provider.Serve(names["flaky"], improvised.FlakyAsync);
        await Market.ScriptedAsync();
        var models = await Task.WhenAll(names.Select(async one => KeyValuePair.Create(one.Key, await Market.ScriptedModelAsync(one.Value, declaration => Declare(declaration, one.Key, one.Value)))));
        (Consumer, Key) = await Market.ConsumerOfAsync(models[0].Value);
        var poor = await Market.KeyAsync(Consumer, Declarations.Budget(0.000001m));
        (await Consumer.PutAsync("api/v1/aliases/gpt-4o", new JsonObject { ["target"] = models[0].Value })).Expect();
        await Task.WhenAll([.. models.Select(model => Market.AwaitModelAsync(Key, model.Value)), Market.AwaitModelAsync(Key, "gpt-4o"), Market.AwaitModelAsync(poor, models[0].Value)]);
        told = await RunAsync(new JsonObject
        {
            ["url"] = Market.Address.AbsoluteUri,
            ["key"] = Key.Text,
            ["poorKey"] = poor.Text,
            ["alias"] = "gpt-4o",
            ["idempotencyKey"] = "order 1234",
            ["wav"] = Convert.ToBase64String(Wav()),
            ["models"] = new JsonObject(models.Select(model => KeyValuePair.Create(model.Key, (JsonNode?)model.Value))),
        });
    }

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    /// <summary>A story's outcome; ends the test as skipped where the clients cannot be had.</summary>
    public JsonNode? Told(string story)
    {
        Assert.SkipWhen(told is null, WhyNot() ?? "");
        var outcome = told![story];
        Assert.True((outcome as JsonObject)?["failed"] is null, (string?)(outcome as JsonObject)?["failed"]);
        return outcome;
    }

    /// <summary>Why the clients cannot be had; null: they can.</summary>
    protected abstract string? WhyNot();

    private static void Declare(JsonObject declaration, string kind, string name)
    {
        declaration["model"]!["tools"] = true;
        declaration["model"]!["structuredOutput"] = true;
        declaration["endpoint"]!["url"] = $"http://scripted.local/{name}/v1";
        declaration["endpoint"]!["protocol"] = kind switch { "messages" => "anthropic", "gemini" => "gemini", "converse" => "bedrock", _ => "openai" };
        if (kind == "all")
        {
            declaration["endpoint"]!["surfaces"] = new JsonArray("responses", "completions", "embeddings", "images.generations", "audio.transcriptions", "audio.translations", "moderations");
            var rate = declaration["pricing"]!["rates"]![0]!;
            (rate["image"], rate["audioMinute"]) = (0.04m, 0.006m);
        }
        else if (kind == "speech")
        {
            declaration["category"] = "text-to-speech";
            declaration["pricing"] = Declarations.Pricing("per-request", "request", 0m);
            declaration["pricing"]!["rates"]![0]!["millionCharacters"] = 15m;
        }
    }

    // A second of silence: 8 000 samples of 8 bits.
    private static byte[] Wav()
    {
        var file = new byte[44 + 8_000];
        "RIFF"u8.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(4), file.Length - 8);
        "WAVEfmt "u8.CopyTo(file.AsSpan(8));
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(16), 16);
        BinaryPrimitives.WriteInt16LittleEndian(file.AsSpan(20), 1);
        BinaryPrimitives.WriteInt16LittleEndian(file.AsSpan(22), 1);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(24), 8_000);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(28), 8_000);
        BinaryPrimitives.WriteInt16LittleEndian(file.AsSpan(32), 1);
        BinaryPrimitives.WriteInt16LittleEndian(file.AsSpan(34), 8);
        "data"u8.CopyTo(file.AsSpan(36));
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(40), 8_000);
        return file;
    }

    private async Task<JsonNode> RunAsync(JsonObject given)
    {
        using var patience = new CancellationTokenSource(Patience);
        var program = Program;
        var (code, output) = await ChildProcess.RunAsync(
            new() { FileName = program.Name, Arguments = [program.Script, given.ToJsonString()], Environment = new Dictionary<string, string?>(program.Environment), DeathSignal = ProcessSignal.Kill },
            patience.Token);
        Assert.True(code == 0, output);
        return JsonNode.Parse(output.Split('\n')[^1])!;
    }
}
