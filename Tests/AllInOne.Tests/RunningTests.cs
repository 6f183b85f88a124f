using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using LlmMarketplace.Embedded;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.AllInOne.Tests;

public sealed class RunningTests(FirstLife before) : IClassFixture<FirstLife>, IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private readonly TestDirectory directory = new("all-in-one");

    private string Data => Path.Combine(directory.Path, "data");

    [Fact]
    public async Task A_second_start_keeps_the_sign_in_and_a_stop_takes_less_than_five_seconds()
    {
        Assert.NotEqual("", before.Facts.AdminPassword);
        Assert.Equal(Private, File.GetUnixFileMode(Path.Combine(before.Data, "first-run.json")));
        Assert.All(Directory.GetFiles(Path.Combine(before.Data, "keys")), key => Assert.Equal(Private, File.GetUnixFileMode(key)));

        await before.CopyToAsync(Data);
        await using var again = await AllInOneProcess.StartAsync(Data);
        Assert.Equal(before.Facts with { Url = again.Facts.Url }, again.Facts);

        var postmaster = Postmaster();
        var asked = Stopwatch.GetTimestamp();
        Assert.True(await again.StopAsync());
        Assert.InRange(Stopwatch.GetElapsedTime(asked), TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.Equal(0, await again.Process.Exited);
        Assert.False(Directory.Exists($"/proc/{postmaster}"));
    }

    [Fact]
    public async Task Kill_9_leaves_no_orphan_and_the_next_start_succeeds()
    {
        await before.CopyToAsync(Data);
        await using (var marketplace = await AllInOneProcess.StartAsync(Data))
        {
            var postmaster = Postmaster();
            await marketplace.KillAsync();
            using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(3));
            while (Directory.Exists($"/proc/{postmaster}"))
            {
                await Task.Delay(20, patience.Token);
            }
        }

        await using var again = await AllInOneProcess.StartAsync(Data);
        Assert.Equal(before.Facts.AdminPassword, again.Facts.AdminPassword);
    }

    [Fact]
    public async Task A_second_instance_on_the_same_directory_is_refused_and_the_first_goes_on()
    {
        await before.CopyToAsync(Data);
        await using var first = await AllInOneProcess.StartAsync(Data);
        var (code, output) = await AllInOneProcess.RunAsync(null, "--data", Data, "--port", first.Facts.Url.Port.ToString(CultureInfo.InvariantCulture));
        Assert.Equal((1, $"Another instance is running on {Data}: stop it first, or choose another data directory."), (code, output));
        Assert.False(first.Process.Exited.IsCompleted);
    }

    [Fact]
    public void Variables_meant_for_a_single_application_do_not_reach_those_inside() => Assert.True(before.MisleadingPortWasFree);

    [Fact]
    public async Task A_revoked_first_key_is_replaced_and_a_suspended_first_model_keeps_nothing_from_starting()
    {
        var first = before.Facts;
        await before.CopyToAsync(Data);
        await using (var marketplace = await AllInOneProcess.StartAsync(Data))
        {
            await RevokeKeyAndSuspendModelAsync(marketplace);
        }

        await using var again = await AllInOneProcess.StartAsync(Data);
        Assert.NotEqual(first.ConsumerKey, again.Facts.ConsumerKey);
        Assert.Null(again.Facts.Model);
        Assert.Contains(again.Process.LastLines, line => line.Contains($"{first.Model}: not served any more", StringComparison.Ordinal));
        Assert.DoesNotContain(again.Process.LastLines, line => line.StartsWith("curl", StringComparison.Ordinal));
        using var http = new HttpClient { BaseAddress = again.Facts.Url, DefaultRequestHeaders = { Authorization = new("Bearer", again.Facts.ConsumerKey) } };
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/v1/models", TestContext.Current.CancellationToken)).StatusCode);
    }

    [Fact]
    public async Task A_port_in_use_is_said()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
        var (code, output) = await AllInOneProcess.RunAsync(null, "--data", Data, "--port", port);
        Assert.Equal((1, $"Port {port} is in use: stop what listens there, or choose another with --port."), (code, output));
    }

    [Fact]
    public async Task A_directory_that_cannot_be_written_is_said()
    {
        var file = Path.Combine(directory.Path, "file");
        await File.WriteAllTextAsync(file, "", TestContext.Current.CancellationToken);
        var (code, output) = await AllInOneProcess.RunAsync(null, "--data", Path.Combine(file, "data"), "--port", FreePortText());
        Assert.Equal(1, code);
        Assert.StartsWith($"The directory {file}/data cannot be made", output, StringComparison.Ordinal);
        Assert.EndsWith("choose another with --data.", output, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', output);
    }

    [Fact]
    public async Task A_missing_postgresql_is_said()
    {
        var (code, output) = await AllInOneProcess.RunAsync(new Dictionary<string, string?> { ["LLM_MARKETPLACE_POSTGRES"] = "/nowhere" }, "--data", Data, "--port", FreePortText());
        Assert.Equal((1, "There is no working PostgreSQL in /nowhere: name the folder that holds 'postgres' and 'initdb'."), (code, output));
    }

    [Theory]
    [InlineData("identity.key")]
    [InlineData("provider-secrets.key")]
    [InlineData("api-key-hmac.key")]
    [InlineData("local-provider.key")]
    public async Task Data_without_its_key_is_not_started(string key)
    {
        Directory.CreateDirectory(Path.Combine(Data, "postgres", "cluster"));
        Directory.CreateDirectory(Path.Combine(Data, "keys"));
        foreach (var other in new[] { "identity.key", "provider-secrets.key", "api-key-hmac.key", "local-provider.key", "administrator.password" }.Where(name => name != key))
        {
            await File.WriteAllTextAsync(Path.Combine(Data, "keys", other), "kept\n", TestContext.Current.CancellationToken);
        }

        var (code, output) = await AllInOneProcess.RunAsync(null, "--data", Data, "--port", FreePortText());
        Assert.Equal(1, code);
        Assert.Equal($"{Data}/keys/{key} is missing, and the data in {Data}/postgres cannot be used without it: restore it from your backup, or start afresh with --reset.", output);
        Assert.False(File.Exists(Path.Combine(Data, "keys", key)));
    }

    [Fact]
    public async Task Reset_asks_first_and_removes_only_what_is_ours()
    {
        Directory.CreateDirectory(Path.Combine(Data, "keys"));
        await File.WriteAllTextAsync(Path.Combine(Data, "keys", "identity.key"), "old\n", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(Data, "first-run.state"), "{}", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(Data, "mine.txt"), "mine", TestContext.Current.CancellationToken);

        var (code, output) = await AllInOneProcess.RunAsync(null, "--data", Data, "--reset", "--port", FreePortText());
        Assert.Equal((1, "--reset asks first, and there is nobody to ask: say --reset --yes."), (code, output));
        Assert.Equal("old\n", await File.ReadAllTextAsync(Path.Combine(Data, "keys", "identity.key"), TestContext.Current.CancellationToken));

        await AllInOneProcess.RunAsync(new Dictionary<string, string?> { ["LLM_MARKETPLACE_POSTGRES"] = "/nowhere" }, "--data", Data, "--reset", "--yes", "--port", FreePortText());
        Assert.NotEqual("old\n", await File.ReadAllTextAsync(Path.Combine(Data, "keys", "identity.key"), TestContext.Current.CancellationToken));
        Assert.False(File.Exists(Path.Combine(Data, "first-run.state")));
        Assert.Equal("mine", await File.ReadAllTextAsync(Path.Combine(Data, "mine.txt"), TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("--port", "http", "--port takes a number from 1 to 65535.")]
    [InlineData("--port", "0", "--port takes a number from 1 to 65535.")]
    [InlineData("--listen", "everywhere", "--listen takes an IP address, for instance 127.0.0.1 or 0.0.0.0.")]
    public async Task Wrong_arguments_get_one_sentence(string option, string value, string sentence)
    {
        var (code, output) = await AllInOneProcess.RunAsync(null, "--data", Data, option, value);
        Assert.Equal((1, sentence), (code, output));
    }

    public void Dispose() => directory.Dispose();

    private async Task RevokeKeyAndSuspendModelAsync(AllInOneProcess marketplace)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var http = new HttpClient { BaseAddress = marketplace.Facts.Url };
        var state = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Data, "first-run.state"), cancellation))!;
        var consumer = state["clients"]!.AsObject().Single(client => client.Key != marketplace.Facts.Model!.Split('/')[0]).Value!;
        await SignInAsync(http, (string)consumer["id"]!, (string)consumer["secret"]!);
        var key = (await http.GetFromJsonAsync<JsonNode>("/api/v1/keys", cancellation))!["items"]![0]!;
        Assert.True((await http.DeleteAsync($"/api/v1/keys/{(string)key["id"]!}", cancellation)).IsSuccessStatusCode);

        await SignInAsync(http, "bootstrap", (await File.ReadAllTextAsync(Path.Combine(Data, "keys", "bootstrap-client.secret"), cancellation)).Trim());
        var listing = (await http.GetFromJsonAsync<JsonNode>($"/api/v1/listings?name={marketplace.Facts.Model!.Split('/')[1]}", cancellation))!["items"]![0]!;
        var suspended = await http.PostAsJsonAsync($"/api/v1/listings/{(string)listing["id"]!}/suspend", new { reason = "A test." }, cancellation);
        Assert.True(suspended.IsSuccessStatusCode);
    }

    private static async Task SignInAsync(HttpClient http, string id, string secret)
    {
        using var form = new FormUrlEncodedContent(new Dictionary<string, string> { ["grant_type"] = "client_credentials", ["client_id"] = id, ["client_secret"] = secret, ["scope"] = "marketplace" });
        using var answer = await http.PostAsync("/connect/token", form, TestContext.Current.CancellationToken);
        var token = JsonNode.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!;
        http.DefaultRequestHeaders.Authorization = new("Bearer", (string)token["access_token"]!);
    }

    private static string FreePortText() => FreePort.Choose().ToString(CultureInfo.InvariantCulture);

    private int Postmaster() => int.Parse(File.ReadLines(Path.Combine(Data, "postgres", "cluster", "postmaster.pid")).First(), CultureInfo.InvariantCulture);
}
