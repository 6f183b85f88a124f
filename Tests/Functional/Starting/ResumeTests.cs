using System.Net;
using System.Text.Json.Nodes;
using LlmMarketplace.FirstRun;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Functional.Starting;

public sealed class ResumeTests(SharedMarketplace shared) : IDisposable
{
    private const int MostRequests = 60;

    private readonly TestDirectory directory = new("first-run");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_first_run_that_is_stopped_again_and_again_goes_on_and_makes_nothing_twice()
    {
        var market = await shared.MarketAsync();
        var scripted = await market.ScriptedAsync();
        var (name, consumer) = (Market.Unique("resumed"), Market.Unique("resumer"));
        await using var door = await ClosingDoor.OpenAsync(market.Address);
        var options = new FirstRunOptions(door.Address, market.Administrator.Id, market.Administrator.Secret, Path.Combine(directory.Path, "state")) { Catalogue = await CatalogueAsync(name, consumer) };

        // Stopped after its first request, after its second … until one comes to the end.
        var (result, stops) = ((FirstRunResult?)null, 0);
        while (result is null && stops < MostRequests)
        {
            try
            {
                result = await FirstRunProgram.RunAsync(options, new Lines(), door.LetThrough(stops + 1));
            }
            catch (OperationCanceledException)
            {
                stops++;
            }
        }

        Assert.InRange(stops, 8, MostRequests - 1);
        Assert.Equal($"scripted/{name}", result!.Model);
        Assert.Equal([$"scripted/{name}@1.0.0"], result.Published);
        var organisation = Guid.Parse((string)(await OnlyAsync(market.Administrator, $"api/v1/organisations?slug={consumer}"))["id"]!);
        Assert.Single(await FirstRunsAsync(market.Administrator, $"api/v1/clients?organisationId={organisation}&limit=100"));
        Assert.Single(await FirstRunsAsync(market.Administrator, $"api/v1/clients?organisationId={scripted.Id}&limit=100"));
        var listing = await OnlyAsync(market.Administrator, $"api/v1/listings?name={name}");
        Assert.Equal("active", (string?)(await market.Administrator.GetAsync($"api/v1/listings/{(string)listing["id"]!}/versions/1.0.0")).Expect()["status"]);
        var member = await market.MemberAsync(organisation, "consumer");
        Assert.Single(await FirstRunsAsync(member, "api/v1/keys?limit=100"), key => (string?)key["status"] == "active");
        Assert.Equal(HttpStatusCode.OK, (await market.ChatAsync(result.ConsumerKey, result.Model!)).Status);
    }

    public void Dispose() => directory.Dispose();

    private static async Task<JsonNode> OnlyAsync(Member member, string path) => (await member.GetAsync(path)).Expect()["items"]!.AsArray().Single()!;

    private static async Task<List<JsonNode>> FirstRunsAsync(Member member, string path) =>
        [.. (await member.GetAsync(path)).Expect()["items"]!.AsArray().Select(item => item!).Where(item => (string?)item["name"] == "first-run")];

    // JSON is YAML.
    private async Task<string> CatalogueAsync(string service, string consumer)
    {
        var catalogue = new JsonObject
        {
            ["consumer"] = new JsonObject { ["slug"] = consumer, ["name"] = "Resumer", ["tier"] = "premium", ["model"] = $"{ScriptedModel.Organisation}/{service}" },
            ["providers"] = new JsonArray(new JsonObject
            {
                ["slug"] = ScriptedModel.Organisation,
                ["name"] = "Scripted",
                ["services"] = new JsonArray(new JsonObject { ["name"] = service, ["declaration"] = Declarations.Chat(service) }),
            }),
        };
        var path = Path.Combine(directory.Path, "catalogue.yaml");
        await File.WriteAllTextAsync(path, catalogue.ToJsonString(), Cancellation);
        return path;
    }

    private sealed class Lines : IProgress<string>
    {
        public void Report(string value) => TestContext.Current.TestOutputHelper?.WriteLine(value);
    }
}
