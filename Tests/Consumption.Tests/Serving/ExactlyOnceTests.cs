using System.Net;
using LlmMarketplace.Servers;
using Npgsql;
using StackExchange.Redis;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

/// <summary>Whatever fails, an admitted call has one record and one event, and nobody else has any.</summary>
public sealed class ExactlyOnceTests(Marketplace marketplace)
{
    [Fact]
    public async Task A_call_whose_instance_died_is_lost_and_costs_nothing()
    {
        await using var cut = await CutOffAsync();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.After(gate.Task, ProviderScripts.Chat("hi", 1, 1)));
        using var client = await cut.ClientAsync(shop);
        using var there = await ClientAsync(marketplace.Service, shop);
        await shop.Member.SetBudgetAsync(0.01m);
        await Marketplace.KnowsBudgetAsync(cut.Instance, shop.Member.Id, 0.01m);
        var call = shop.ChatAsync(client: client);
        await Until.TrueAsync(() => shop.Seen.Count == 1);
        var id = Guid.Parse(shop.Seen[0].Headers["x-request-id"]);
        Assert.Equal(429, (int)(await shop.ChatAsync(client: there)).StatusCode);

        await Until.TrueAsync(async () => await CountAsync("SELECT count(*) FROM admissions WHERE request_id = $1", id) == 1);
        cut.Cut();

        var record = await shop.Member.RecordAsync(id);
        Assert.Equal(("lost", 0, 0m), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("cost").GetDecimal()));
        Assert.Equal((1, 0m), await shop.TotalAsync());
        Assert.Equal(1, await EventsAsync(id));
        shop.Answer(ProviderScripts.Chat("hi", 1, 1));
        await Until.TrueAsync(async () => (await shop.ChatAsync(client: there)).StatusCode == HttpStatusCode.OK);

        // The instance was not dead, but cut off: what it has to say now corrects the record, and is no second one.
        cut.Mend();
        gate.SetResult();
        await call.WaitAsync(TimeSpan.FromMinutes(3));
        await Until.TrueAsync(async () => (int)(await shop.ChatAsync(client: client)).StatusCode == 429);
        Assert.Equal(2, (await shop.TotalAsync()).Calls);
    }

    [Fact]
    public async Task Without_its_database_an_instance_goes_on_from_its_log_within_the_budget_and_the_records_follow()
    {
        await using var cut = await CutOffAsync();
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = await cut.ClientAsync(shop);
        await shop.Member.SetBudgetAsync(0.03m);
        await Marketplace.KnowsBudgetAsync(cut.Instance, shop.Member.Id, 0.03m);
        Assert.Equal(HttpStatusCode.OK, (await shop.ChatAsync(client: client)).StatusCode);
        await Until.TrueAsync(async () => await shop.TotalAsync() == (1, 0.01m));

        cut.Proxy.Cut();
        var answers = new List<int>();
        for (var i = 0; i < 3; i++)
        {
            answers.Add((int)(await shop.ChatAsync(client: client, isShipped: false)).StatusCode);
        }

        Assert.Equal([200, 200, 429], answers);
        Assert.Equal((1, 0.01m), await shop.TotalAsync(isShipped: false));

        cut.Proxy.Mend();
        await Until.TrueAsync(async () => await shop.TotalAsync() == (3, 0.03m));
        Assert.Equal(3, shop.Seen.Count);
    }

    [Fact]
    public async Task An_instance_that_cannot_prove_that_it_lives_reserves_nothing()
    {
        await using var cut = await CutOffAsync();
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = await cut.ClientAsync(shop);
        using var there = await ClientAsync(marketplace.Service, shop);
        await shop.Member.SetBudgetAsync(0.03m);
        await Marketplace.KnowsBudgetAsync(cut.Instance, shop.Member.Id, 0.03m);
        Assert.Equal(HttpStatusCode.OK, (await shop.ChatAsync(client: client)).StatusCode);

        cut.Cut();
        await cut.KnowsAsync();
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal("not_ready", (await (await shop.ChatAsync(client: client)).ErrorAsync()).Code);
        }

        foreach (var expected in new[] { 200, 200, 429 })
        {
            Assert.Equal(expected, (int)(await shop.ChatAsync(client: there)).StatusCode);
        }
    }

    [Fact]
    public async Task A_settlement_that_the_database_refuses_for_now_waits_and_becomes_one_record_and_one_event()
    {
        await using var instance = await marketplace.StartInstanceAsync();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.After(gate.Task, ProviderScripts.Chat("hi", 1, 100)), Prices.PerMillionTokens(0m, 10m));
        using var client = await ClientAsync(instance, shop);
        var call = shop.ChatAsync(client: client);
        await Until.TrueAsync(() => shop.Seen.Count == 1);
        var id = Guid.Parse(shop.Seen[0].Headers["x-request-id"]);

        await using (var refusal = await RefusedRecords.BeginAsync(marketplace.Database.SuperuserConnectionString, shop.Member.Id))
        {
            gate.SetResult();
            await Until.TrueAsync(async () => await refusal.TimesAsync() >= 2);
            Assert.Equal(0, (await shop.TotalAsync(isShipped: false)).Calls);
            Assert.Equal(0, await EventsAsync(id));
        }

        Assert.Equal(HttpStatusCode.OK, (await call).StatusCode);
        Assert.Equal(("completed", 0.001m), ((await shop.RecordAsync(await call)).Text("outcome"), (await shop.RecordAsync(await call)).GetProperty("cost").GetDecimal()));
        Assert.Equal((1, 0.001m), await shop.TotalAsync());
        Assert.Equal(1, await EventsAsync(id));
    }

    [Fact]
    public async Task A_refused_call_leaves_no_event_and_a_settled_one_just_one()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        await shop.Member.SetBudgetAsync(0.01m);

        var (settled, refused) = (await shop.ChatAsync(), await shop.ChatAsync());

        Assert.Equal((200, 429), ((int)settled.StatusCode, (int)refused.StatusCode));
        await shop.RecordAsync(settled);
        Assert.Equal(1, await EventsAsync(Guid.Parse(settled.Header("x-request-id")!)));
        Assert.Equal(0, await EventsAsync(Guid.Parse(refused.Header("x-request-id")!)));
    }

    private static async Task<HttpClient> ClientAsync(TestService instance, Shop shop)
    {
        var client = shop.Key.Client(instance);
        await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        return client;
    }

    private Task<long> EventsAsync(Guid requestId) => CountAsync("SELECT count(*) FROM messaging.outbox WHERE key = $1", requestId);

    private async Task<long> CountAsync(string sql, Guid requestId)
    {
        await using var database = NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        await using var count = database.CreateCommand(sql);
        count.Parameters.Add(new NpgsqlParameter { Value = requestId });
        return (long)(await count.ExecuteScalarAsync())!;
    }

    private async Task<CutOff> CutOffAsync()
    {
        var direct = new NpgsqlConnectionStringBuilder(marketplace.Database.AppConnectionString);
        var proxy = new Proxy(direct.Port);
        var through = new NpgsqlConnectionStringBuilder(direct.ConnectionString) { Port = proxy.Port }.ConnectionString;
        var redis = ConfigurationOptions.Parse((await marketplace.SettingsAsync())["ConnectionStrings:redis"]!);
        var redisProxy = new Proxy(((IPEndPoint)redis.EndPoints.Single()).Port);
        redis.EndPoints.Clear();
        redis.EndPoints.Add(IPAddress.Loopback, redisProxy.Port);
        return new CutOff(proxy, redisProxy, await marketplace.StartInstanceAsync(
            redisConnection: redis.ToString(includePassword: true), settings: new KeyValuePair<string, string?>("ConnectionStrings:consumption", through)));
    }

    /// <summary>An instance that can be cut off from its database, and from Redis.</summary>
    private sealed record CutOff(Proxy Proxy, Proxy Redis, TestService Instance) : IAsyncDisposable
    {
        public void Cut()
        {
            Proxy.Cut();
            Redis.Cut();
        }

        public void Mend()
        {
            Proxy.Mend();
            Redis.Mend();
        }

        public Task<HttpClient> ClientAsync(Shop shop) => ExactlyOnceTests.ClientAsync(Instance, shop);

        /// <summary>Waits until the instance knows that it cannot prove that it lives.</summary>
        public Task KnowsAsync() => Until.TrueAsync(async () =>
            !(await (await Instance.Client.GetAsync("/health/ready")).Content.ReadAsStringAsync()).Contains("\"consumption-calls\":{\"status\":\"healthy\"", StringComparison.Ordinal));

        public async ValueTask DisposeAsync()
        {
            Mend();
            await Instance.DisposeAsync();
            await Proxy.DisposeAsync();
            await Redis.DisposeAsync();
        }
    }

    /// <summary>A database that takes no records of one organisation, as if it were going down; counts how often it was asked.</summary>
    private sealed class RefusedRecords(NpgsqlDataSource database, string name) : IAsyncDisposable
    {
        public static async Task<RefusedRecords> BeginAsync(string connection, Guid organisation)
        {
            var database = NpgsqlDataSource.Create(connection);
            var name = $"refused_{organisation:N}";
            await using var begin = database.CreateCommand(
                $"""
                 CREATE SEQUENCE {name} MINVALUE 0 START 0;
                 GRANT USAGE ON SEQUENCE {name} TO PUBLIC;
                 CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN
                     PERFORM nextval('{name}');
                     RAISE EXCEPTION 'the database system is shutting down' USING ERRCODE = '57P01';
                 END $$;
                 CREATE TRIGGER {name} BEFORE INSERT ON usage_records FOR EACH ROW WHEN (NEW.organisation_id = '{organisation}') EXECUTE FUNCTION {name}();
                 """);
            await begin.ExecuteNonQueryAsync();
            return new RefusedRecords(database, name);
        }

        public async Task<long> TimesAsync()
        {
            await using var times = database.CreateCommand($"SELECT last_value FROM {name}");
            return (long)(await times.ExecuteScalarAsync())!;
        }

        public async ValueTask DisposeAsync()
        {
            await using (var end = database.CreateCommand($"DROP FUNCTION {name}() CASCADE; DROP SEQUENCE {name};"))
            {
                await end.ExecuteNonQueryAsync();
            }

            await database.DisposeAsync();
        }
    }
}
