using LlmMarketplace.Compliance;
using LlmMarketplace.Compliance.Messaging;

return args switch
{
    [KillLoopChild.Argument, var role] => await KillLoopChild.RunAsync(role),
    _ when args.Any(argument => argument is "--server" or "--internal-msbuild-node") =>
        await Xunit.MicrosoftTestingPlatform.TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions),
    _ => await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args),
};
