using Spectre.Console;

namespace LlmMarketplace.AllInOne;

/// <summary>What a person needs to go on, at the end of the start. The curl line stands outside the frame, to be pasted.</summary>
internal static class StartUpPanel
{
    public static void Show(FirstRunFile facts, DataDirectory data, TimeSpan took)
    {
        (string Name, string Value)[] rows =
        [
            ("Address", facts.Url),
            ("API reference", facts.Url + "/docs"),
            ("Sign in", facts.Url + "/signin"),
            ("as", facts.AdminEmail),
            ("Password", facts.AdminPassword),
            ("Data and logs", data.Root),
        ];
        if (Console.IsOutputRedirected)
        {
            Console.WriteLine();
            Console.WriteLine($"The marketplace is ready ({took.TotalSeconds:0.0} s).");
            foreach (var (name, value) in rows)
            {
                Console.WriteLine($"  {name,-14} {value}");
            }
        }
        else
        {
            var grid = new Grid().AddColumn().AddColumn();
            foreach (var (name, value) in rows)
            {
                grid.AddRow($"[grey]{Markup.Escape(name)}[/]", Markup.Escape(value));
            }

            AnsiConsole.WriteLine();
            AnsiConsole.Write(new Panel(grid) { Header = new($" The marketplace is ready ({took.TotalSeconds:0.0} s) "), Border = BoxBorder.Rounded });
        }

        if (facts is { ConsumerKey: { } key, Model: { } model })
        {
            Console.WriteLine();
            Console.WriteLine("A first call:");
            Console.WriteLine($$"""curl -s {{facts.Url}}/v1/embeddings -H 'Authorization: Bearer {{key}}' -H 'Content-Type: application/json' -d '{"model":"{{model}}","input":"Hello, marketplace"}'""");
        }

        Console.WriteLine();
        Console.WriteLine("Ctrl-C stops it.");
    }
}
