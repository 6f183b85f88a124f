using System.Reflection;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Messaging.Consuming;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;

namespace LlmMarketplace.Messaging.Tests.Samples;

/// <summary>
/// What other releases and other people's consumers rely on: each event as it looks on the wire, committed. Within a major version changes only add; another change needs a new type.
/// <c>LLM_MARKETPLACE_WRITE_SAMPLES=1</c> writes the files anew, for review.
/// </summary>
public sealed partial class EventSampleTests(EventSampleTests.Wire wire) : IClassFixture<EventSampleTests.Wire>
{
    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly bool Writing = Environment.GetEnvironmentVariable("LLM_MARKETPLACE_WRITE_SAMPLES") == "1";

    public static TheoryData<string> Types => [.. EventSample.All.Select(sample => sample.Type)];

    [Theory]
    [MemberData(nameof(Types))]
    public async Task What_goes_over_the_wire_is_the_committed_sample(string type)
    {
        var sample = Of(type);
        var e = (await wire.EventsAsync())[type];
        Assert.Equal(7, Guid.Parse((string)e["id"]!).Version);
        Assert.True(DateTimeOffset.TryParse((string)e["time"]!, out var time) && time.Offset == TimeSpan.Zero);

        // The two that are new each time.
        e["id"] = "01997c3a-0000-7000-8000-000000000000";
        e["time"] = "2026-03-01T11:30:15.25+00:00";
        var written = e.ToJsonString(Readable) + "\n";
        if (Writing)
        {
            await File.WriteAllTextAsync(sample.File, written, TestContext.Current.CancellationToken);
            Assert.Skip($"{sample.File} was written anew.");
        }

        Assert.True(File.Exists(sample.File), $"{type} has no sample: LLM_MARKETPLACE_WRITE_SAMPLES=1 writes it.");
        Assert.Equal(await File.ReadAllTextAsync(sample.File, TestContext.Current.CancellationToken), written);
    }

    [Theory]
    [MemberData(nameof(Types))]
    public async Task A_committed_sample_is_read_back_equal(string type)
    {
        var json = await File.ReadAllBytesAsync(Of(type).File, TestContext.Current.CancellationToken);
        Assert.Equal(Data(JsonNode.Parse(json)!), Read(type, json));
    }

    [Theory]
    [MemberData(nameof(Types))]
    public async Task What_a_newer_release_adds_is_passed_over(string type)
    {
        var committed = JsonNode.Parse(await File.ReadAllBytesAsync(Of(type).File, TestContext.Current.CancellationToken))!;
        var newer = committed.DeepClone();
        Extend(newer);
        Assert.NotEqual(Data(committed), Data(newer));
        Assert.Equal(Data(committed), Read(type, Encoding.UTF8.GetBytes(newer.ToJsonString())));
    }

    [Fact]
    public void Every_event_type_that_a_service_declares_has_a_sample()
    {
        var services = Directory.GetDirectories(Path.Combine(RepositoryRoot.Path, "Services"));
        var contracts = services.SelectMany(Directory.GetDirectories).Where(folder => folder.EndsWith(".Contracts", StringComparison.Ordinal)).Select(Path.GetFileName).ToList();
        Assert.Contains("Publishing.Contracts", contracts);
        var declared = contracts
            .SelectMany(name => Assembly.Load("LlmMarketplace." + name).GetExportedTypes()) // A service that is new must be referenced here: its events need samples.
            .SelectMany(holder => holder.GetFields(BindingFlags.Public | BindingFlags.Static).Where(field => field.IsLiteral && field.FieldType == typeof(string)))
            .Where(field => EventType().IsMatch((string)field.GetRawConstantValue()!))
            .Select(field => ((string)field.GetRawConstantValue()!, field.DeclaringType!.Assembly.GetType($"{field.DeclaringType.Namespace}.{field.Name}")))
            .ToHashSet();
        Assert.Equal(declared, EventSample.All.Select(sample => (sample.Type, (Type?)sample.Event)).ToHashSet());
        Assert.Equal(
            EventSample.All.Select(sample => sample.File).Order(),
            Directory.GetFiles(Path.GetDirectoryName(EventSample.All[0].File)!, "*.json").Order());
    }

    private static EventSample Of(string type) => EventSample.All.Single(sample => sample.Type == type);

    private static string Data(JsonNode e) => e["data"]!.ToJsonString();

    /// <summary>Reads an event as a consumer does, and writes what it was given.</summary>
    private static string Read(string type, byte[] e)
    {
        var sample = Of(type);
        var prepared = new Subscriptions([sample.Subscription]).Prepare(sample.Topic, new ReceivedEvent(1, e));
        Assert.Null(prepared.Dead);
        Assert.Equal((sample.Key, sample.AggregateVersion), (prepared.Envelope!.Value.Key, prepared.Envelope.Value.AggregateVersion));
        return JsonNode.Parse(JsonSerializer.Serialize(Assert.Single(prepared.Handlers).Data, sample.Event, Json.Options))!.ToJsonString();
    }

    /// <summary>Adds a member to every object, but not to those whose shape is a provider's or a caller's own.</summary>
    private static void Extend(JsonNode? node)
    {
        if (node is JsonArray array)
        {
            array.ToList().ForEach(Extend);
        }
        else if (node is JsonObject members)
        {
            foreach (var (name, value) in members.ToList())
            {
                if (name is not ("parameters" or "request" or "response" or "tags"))
                {
                    Extend(value);
                }
            }

            members["addedLater"] = JsonNode.Parse("""{"nested": [1, null]}""");
        }
    }

    [GeneratedRegex(@"^marketplace(\.[a-z_]+){2,}\.v[1-9][0-9]*$")]
    private static partial Regex EventType();

    /// <summary>Services that tell every sample once, and their feeds.</summary>
    public sealed class Wire(PostgresServer postgres) : IAsyncDisposable
    {
        private readonly SemaphoreSlim turn = new(1);
        private Dictionary<string, JsonNode>? events;

        internal async Task<Dictionary<string, JsonNode>> EventsAsync()
        {
            await turn.WaitAsync();
            try
            {
                return events ??= await TellAsync();
            }
            finally
            {
                turn.Release();
            }
        }

        public ValueTask DisposeAsync()
        {
            turn.Dispose();
            return ValueTask.CompletedTask;
        }

        private async Task<Dictionary<string, JsonNode>> TellAsync()
        {
            var told = new Dictionary<string, JsonNode>();
            foreach (var sample in EventSample.All)
            {
                await using var service = await EventsService.StartAsync(postgres, sample.Declare, before: services => services.AddSingleton(new ServiceIdentity(sample.Producer)));
                await service.TellAsync(sample.Add);
                told[sample.Type] = Assert.Single(await service.FeedAsync(1, sample.Topic))!.DeepClone();
            }

            return told;
        }
    }
}
